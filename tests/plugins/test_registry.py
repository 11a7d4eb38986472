"""Third-party plugins, good and bad, as fake distributions on the import path."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.errors import PluginError
from segbench.plugins import Origin, Plugin, Registry, listing, required_versions
from segbench.types import Backbone, Command, Runtime

GOOD = """
from segbench.hookspecs import hookimpl
from segbench.types import Runtime

@hookimpl
def segbench_runtimes():
    yield Runtime(name="warp", summary="Faster than light", open=print)
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install(distribution, code)``: a distribution of that one module, version 2.0."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(distribution: str, code: str) -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.0\n"
        )
        (info / "entry_points.txt").write_text(f"[segbench]\nfast = {module}\n")
        sys.modules.pop(module, None)
        importlib.invalidate_caches()

    return install


def broken(registry: Registry) -> dict[str, str]:
    return {plugin.name: plugin.error for plugin in registry.plugins if plugin.error}


def test_a_third_partys_items_stand_beside_the_built_in_ones(install: Install) -> None:
    install("warp-drive", GOOD)
    registry = Registry.load()
    warp = registry.runtime("warp")
    assert registry.origin(warp) == ("warp-drive", "2.0")
    assert registry.origin(registry.runtime("eager")).distribution == "segbench"
    names = [runtime.name for runtime in registry.runtimes]
    assert names == sorted(names)


def test_two_distributions_may_share_an_entry_point_name(install: Install) -> None:
    install("warp-drive", GOOD)
    install("impulse", GOOD.replace('"warp"', '"impulse"'))
    assert {"warp", "impulse"} <= {runtime.name for runtime in Registry.load().runtimes}


MISTAKES = {
    "raises_at_import": ("import no_such_module_at_all", "ModuleNotFoundError"),
    "leaves_at_import": ("raise SystemExit('bye')", "SystemExit: bye"),
    "syntax_error": ("def", "SyntaxError"),
    "no_hook": ("x = 1", "none of the hooks"),
    "misspelt_hook": (GOOD.replace("segbench_runtimes", "segbench_runtime"), "segbench_runtime"),
    "unknown_argument": (GOOD.replace("runtimes()", "runtimes(size)"), "size"),
    "hook_raises": (GOOD.replace("yield", "raise KeyError('oops')\n    yield"), "oops"),
    "raises_while_iterating": (GOOD + "    raise OSError('late')", "OSError: late"),
    "not_iterable": (GOOD.replace("yield", "return"), "not iterable"),
    "wrong_type": (GOOD + "    yield 'warp2'", "segbench_runtimes yields 'warp2'"),
    "wrong_hook": (GOOD.replace("segbench_runtimes", "segbench_datasets"), "not a dataset"),
    "no_name": (GOOD.replace('"warp"', "None"), "named None"),
    "requires_a_string": (GOOD.replace("open=print", "open=print, requires='numpy'"), "tuple"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_plugin_is_listed_with_its_error_and_harms_no_other(
    mistake: str, install: Install
) -> None:
    code, error = MISTAKES[mistake]
    before = Registry.load()
    install(f"bad-{mistake}", code)
    after = Registry.load()
    name = f"bad-{mistake}:fast"
    assert error in broken(after)[name]
    assert "\n" not in broken(after)[name]
    assert [runtime.name for runtime in after.runtimes] == [r.name for r in before.runtimes]
    [line] = [line for line in listing(after) if line.name == name]
    assert line.status == "broken"
    assert f"pip uninstall bad-{mistake}" in (line.problem or "")


def test_a_name_on_offer_twice_is_an_error_that_names_both(install: Install) -> None:
    install("warp-drive", GOOD)
    install("warp-copy", GOOD)
    registry = Registry.load()
    with pytest.raises(PluginError) as caught:
        registry.runtime("warp")
    assert "warp-drive:fast" in caught.value.message
    assert "warp-copy:fast" in caught.value.message
    lines = [line for line in listing(registry) if line.name == "warp"]
    assert [line.status for line in lines] == ["unusable", "unusable"]
    assert {line.distribution for line in lines} == {"warp-drive", "warp-copy"}
    assert registry.runtime("eager").name == "eager"


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    runtime = Runtime("warp", "Fast", open=print, requires=("numpy", "dilithium"))  # type: ignore
    registry = Registry.of(runtimes=[runtime])
    assert registry.runtimes == (runtime,)
    with pytest.raises(PluginError, match="pip install dilithium"):
        registry.runtime("warp")
    [line] = listing(registry)
    assert line.status == "unusable"
    versions = required_versions(runtime)
    assert versions["numpy"]
    assert versions["dilithium"] is None


def test_one_of_several_alternative_packages_is_enough() -> None:
    runtime = Runtime("warp", "Fast", open=print, requires=("dilithium|numpy",))  # type: ignore
    assert required_versions(runtime).keys() == {"numpy"}
    assert Registry.of(runtimes=[runtime]).runtime("warp") == runtime
    missing = Runtime("warp", "Fast", open=print, requires=("dilithium|tritium",))  # type: ignore
    with pytest.raises(PluginError, match=r"pip install dilithium$"):
        Registry.of(runtimes=[missing]).runtime("warp")


def test_an_unknown_name_comes_with_the_nearest_one() -> None:
    registry = Registry.of(backbones=[Backbone("vgg16", "VGG16", build=print)])  # type: ignore
    with pytest.raises(PluginError) as caught:
        registry.backbone("vg16")
    assert caught.value.message == "No backbone named 'vg16'. Did you mean 'vgg16'?"
    with pytest.raises(PluginError, match="'vgg16' is a backbone; use --backbone vgg16"):
        registry.network("vgg16")


def test_an_unknown_name_may_be_that_of_a_broken_plugin(install: Install) -> None:
    install("warp-drive", "import no_such_module_at_all")
    with pytest.raises(PluginError, match="warp-drive:fast"):
        Registry.load().runtime("warp")


def test_a_registry_of_given_items_holds_nothing_else() -> None:
    registry = Registry.of(backbones=[Backbone("a", "A", build=print, requires=())])  # type: ignore
    assert registry.backbone("a").name == "a"
    assert registry.datasets == registry.runtimes == ()
    assert registry.origin(registry.backbone("a")).distribution == "unpackaged"


COMMAND = """
import click
from segbench.hookspecs import hookimpl
from segbench.types import Command

@click.command()
@click.pass_obj
def hello(registry):
    "Greet the runtimes."
    click.echo(f"hello, {len(registry.runtimes)} runtimes")

@hookimpl
def segbench_commands():
    yield Command("hello", "Greet the runtimes.", load=lambda: hello)
"""


def test_a_third_partys_command_runs_and_is_in_the_help(install: Install) -> None:
    install("greetings", COMMAND)
    count = len(Registry.load().runtimes)
    assert CliRunner().invoke(main, ["hello"]).output == f"hello, {count} runtimes\n"
    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    assert ["hello", "Greet", "the", "runtimes."] in [line.split() for line in lines]


def test_nothing_of_a_command_is_loaded_for_the_list_of_commands() -> None:
    registry = Registry.of(commands=[Command("hello", "Greet.", load=lambda: 1 / 0)])
    assert "Greet." in CliRunner().invoke(main, ["--help"], obj=registry).output


def test_a_command_on_offer_twice_is_refused(install: Install) -> None:
    install("greetings", COMMAND)
    install("salutations", COMMAND)
    result = CliRunner().invoke(main, ["hello"])
    assert result.exit_code == 1
    assert "greetings:fast" in result.output
    assert "salutations:fast" in result.output


def test_a_command_of_a_plugin_does_not_replace_the_listing(install: Install) -> None:
    install("greetings", COMMAND.replace('Command("hello"', 'Command("plugins"'))
    assert "Greet" not in CliRunner().invoke(main, ["plugins", "--help"]).output
    registry = Registry.load()
    with pytest.raises(PluginError, match="greetings:fast"):
        registry.command("plugins")
    [line] = [line for line in listing(registry) if line.name == "plugins"]
    assert line.status == "unusable"


def test_a_command_of_a_plugin_does_not_replace_a_built_in_one(install: Install) -> None:
    install("greetings", COMMAND.replace('Command("hello"', 'Command("recipes"'))
    result = CliRunner().invoke(main, ["recipes"])
    assert result.exit_code == 1
    assert "greetings:fast" in result.output
    assert "segbench:commands" in result.output
    lines = [line for line in listing(Registry.load()) if line.name == "recipes"]
    assert [line.status for line in lines] == ["unusable", "unusable"]


FORMAT = """
from segbench import ModelFormat, hookimpl

@hookimpl
def segbench_model_formats():
    yield ModelFormat("pb", "Graphs", (".onnx", ".pb"), load=print, runtime="eager")
"""


def test_two_formats_of_one_ending_are_refused(install: Install) -> None:
    install("graphs", FORMAT)
    registry = Registry.load()
    for name in ("net.pb", "net.ONNX"):
        with pytest.raises(PluginError, match="graphs:fast and segbench:onnx"):
            registry.model_format(Path(name))


def test_a_file_of_no_known_format_is_told_the_known_endings() -> None:
    with pytest.raises(PluginError, match=r"net\.tflite is not in a known .* endings: \.onnx\."):
        Registry.load().model_format(Path("net.tflite"))


def test_a_command_without_its_package_names_the_extra_that_has_it(install: Install) -> None:
    lacking = 'load=lambda: hello, requires=("dilithium",), extra="warp")'
    install("greetings", COMMAND.replace("load=lambda: hello)", lacking))
    result = CliRunner().invoke(main, ["hello"])
    assert result.exit_code == 1
    assert 'pip install "greetings[warp]"' in result.output


def test_an_unknown_command_comes_with_the_nearest_one() -> None:
    result = CliRunner().invoke(main, ["recipe"])
    assert result.exit_code == 2
    assert "Did you mean 'recipes'?" in result.output


def test_an_unknown_command_names_the_broken_plugins() -> None:
    broken = Plugin("segbench:commands", Origin("segbench", "0"), error="ImportError: no click")
    result = CliRunner().invoke(main, ["run"], obj=Registry((broken,)))
    assert result.exit_code == 2
    assert "Broken plugins (see `segbench plugins`): segbench:commands." in result.output
