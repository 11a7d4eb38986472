"""The plugins that come with segbench, registered through entry points like third-party ones."""
