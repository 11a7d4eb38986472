# segbench on CPUs. Build it in the repository's root:
#   docker build -f docker/cpu.Dockerfile -t segbench:cpu .
#   docker run --rm -v "$SEGBENCH_DATA:/data:ro" -v "$PWD:/work" segbench:cpu plugins
FROM python:3.12-slim-bookworm

# torch.compile needs a C++ compiler.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

# PyTorch's index has builds without CUDA, which are much smaller.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu \
    "torch>=2.11" "torchvision>=0.26"

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir "./[openvino,video]"

RUN useradd --create-home --uid 1000 segbench && install --directory --owner segbench /work /cache
USER 1000:1000
ENV SEGBENCH_CACHE=/cache \
    SEGBENCH_DATA=/data
WORKDIR /work
ENTRYPOINT ["segbench"]
CMD ["--help"]
