"""A stand-in for TensorRT that records what it is asked, on tensors of the CPU."""

import ctypes
from enum import IntEnum
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

SIZE = (64, 96)


class LayerType(IntEnum):
    CONVOLUTION = 0
    DECONVOLUTION = 1
    QUANTIZE = 2
    DEQUANTIZE = 3
    CONSTANT = 4


class ILogger:
    ERROR, INTERNAL_ERROR, WARNING = 1, 0, 2


class FakeTensorrt(ModuleType):
    """``asked`` is what was called, in order; the other attributes decide how it answers."""

    LayerType, ILogger = LayerType, ILogger
    int8, float16, float32 = "int8", "float16", "float32"
    BuilderFlag = SimpleNamespace(TF32="TF32", REQUIRE_USER_ALLOCATION="user allocation")
    ComputeCapability = SimpleNamespace(SM89="SM89", SM75="SM75")

    def __init__(self, name: str = "tensorrt", version: str = "11.4.0") -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.__version__ = version
        self.asked: list[tuple[Any, ...]] = []
        self.plan: bytes | None = b"an engine"
        self.build_error = ""
        self.parser_errors: list[SimpleNamespace] = []
        self.loads = self.starts = self.runs = True
        names = {"STRONGLY_TYPED": 0} if version.startswith("10.") else {}
        self.NetworkDefinitionCreationFlag = SimpleNamespace(**names)

    def ask(self, *what: Any) -> None:
        self.asked.append(what)

    def times(self, name: str) -> int:
        return sum(call[0] == name for call in self.asked)

    def Builder(self, log: Any) -> "Builder":  # noqa: N802
        return Builder(self, log)

    def OnnxParser(self, network: Any, log: Any) -> "Parser":  # noqa: N802
        return Parser(self)

    def Runtime(self, log: Any) -> "Runtime":  # noqa: N802
        return Runtime(self, log)


class Part:
    def __init__(self, trt: FakeTensorrt, log: Any = None) -> None:
        self.trt, self.log = trt, log


class Builder(Part):
    def create_network(self, flags: int) -> SimpleNamespace:
        self.trt.ask("create_network", flags)
        return SimpleNamespace(num_layers=0, num_outputs=1)

    def create_builder_config(self) -> "Config":
        return Config(self.trt)

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        self.trt.ask("build")
        if self.trt.plan is None:
            self.log.log(ILogger.WARNING, "a warning")
            self.log.log(ILogger.ERROR, self.trt.build_error)
        return self.trt.plan


class Config(Part):
    num_compute_capabilities = 0

    def set_flag(self, flag: str) -> None:
        self.trt.ask("set_flag", flag)

    def clear_flag(self, flag: str) -> None:
        self.trt.ask("clear_flag", flag)

    def set_compute_capability(self, capability: str, index: int) -> None:
        self.trt.ask("set_compute_capability", capability, index, self.num_compute_capabilities)

    def create_timing_cache(self, timing: bytes) -> SimpleNamespace | None:
        self.trt.ask("create_timing_cache", timing)
        if timing == b"damaged":
            return None
        return SimpleNamespace(kept=timing, serialize=lambda: b"timing")

    def set_timing_cache(self, cache: SimpleNamespace, ignore_mismatch: bool) -> bool:
        if cache.kept == b"of another card":
            return False
        self.timing = cache
        return True

    def get_timing_cache(self) -> SimpleNamespace:
        return self.timing


class Parser(Part):
    num_errors = property(lambda self: len(self.trt.parser_errors))

    def parse(self, onnx: bytes) -> bool:
        self.trt.ask("parse", onnx)
        return not self.trt.parser_errors

    def get_error(self, index: int) -> SimpleNamespace:
        return self.trt.parser_errors[index]


class Runtime(Part):
    def deserialize_cuda_engine(self, plan: bytes) -> "Engine | None":
        self.trt.ask("deserialize", plan)
        self.log.log(ILogger.ERROR, "wrong magic number")
        return Engine(self.trt, self.log) if self.trt.loads else None


class Engine(Part):
    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return {"labels": (1, *SIZE), "logits": (1, 3, *SIZE)}[name]

    def create_runtime_config(self) -> SimpleNamespace:
        cache = SimpleNamespace(
            serialize=lambda: b"kernels",
            deserialize=lambda held: self.trt.ask("deserialize_kernels", held),
        )
        return SimpleNamespace(
            create_runtime_cache=lambda: cache,
            set_runtime_cache=lambda cache: self.trt.ask("set_runtime_cache"),
        )

    def create_execution_context(self, config: Any = None) -> "Context | None":
        return Context(self.trt) if self.trt.starts else None


class Context(Part):
    """Runs by writing how often it has run into every byte of the output "labels"."""

    def __init__(self, trt: FakeTensorrt) -> None:
        super().__init__(trt)
        self.addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address
        self.trt.ask("bind", name, address)

    def execute_async_v3(self, stream: int) -> bool:
        self.trt.ask("execute", stream)
        if "labels" in self.addresses:
            ctypes.memset(self.addresses["labels"], self.trt.times("execute"), SIZE[0] * SIZE[1])
        return self.trt.runs
