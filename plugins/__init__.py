"""The plugins that come with segbench, registered through entry points as a third party's are."""
