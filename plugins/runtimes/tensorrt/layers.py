"""The type of each convolution of a parsed network.

Networks are strongly typed: the engine uses these types, without fallbacks.
"""

from collections.abc import Mapping
from typing import Any


def convolution_types(trt: Any, network: Any) -> Mapping[str, str]:
    """ "int8", "half" or "float" of each convolution, transposed ones too, by the layer's name.

    One is INT8 when its input comes from a Q/DQ pair and so do its weights, or from INT8 constants.
    """
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    makers = {
        layer.get_output(index).name: layer
        for layer in layers
        for index in range(layer.num_outputs)
    }
    kinds = (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION)
    return {
        layer.name: "int8" if _is_int8(trt, layer, makers) else _float_type(trt, layer)
        for layer in layers
        if layer.type in kinds
    }


def _is_int8(trt: Any, layer: Any, makers: Mapping[str, Any]) -> bool:
    if layer.num_inputs < 2:
        return False
    return all(_is_dequantized(trt, layer.get_input(index), makers) for index in (0, 1))


def _is_dequantized(trt: Any, tensor: Any, makers: Mapping[str, Any]) -> bool:
    maker = makers.get(tensor.name)
    if maker is None or maker.type != trt.LayerType.DEQUANTIZE:
        return False
    quantized = maker.get_input(0)
    source = makers.get(quantized.name)
    return (
        quantized.dtype == trt.int8
        and source is not None
        and source.type in (trt.LayerType.QUANTIZE, trt.LayerType.CONSTANT)
    )


def _float_type(trt: Any, layer: Any) -> str:
    return {trt.float16: "half", trt.float32: "float"}[layer.get_input(0).dtype]
