# segbench on CPUs. Build it in the repository's root:
#   docker build -f docker/cpu.Dockerfile -t segbench:cpu .
#   docker run --rm -v "$SEGBENCH_DATA:/data:ro" -v "$PWD:/work" segbench:cpu plugins
FROM python:3.12-slim-bookworm

# torch.compile needs a C++ compiler.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --mode 1777 /work /cache

# PyTorch's index has builds without CUDA, which are much smaller.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu \
    "torch>=2.11" "torchvision>=0.26"

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir "./[mlflow,openvino,tensorboard,video,wandb]"

# Any user may run it: --user "$(id -u):$(id -g)" writes results as yourself.
USER 1000:1000
ENV HOME=/cache \
    SEGBENCH_CACHE=/cache \
    SEGBENCH_DATA=/data \
    USER=segbench
WORKDIR /work
ENTRYPOINT ["segbench"]
CMD ["--help"]
