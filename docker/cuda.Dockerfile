# segbench on CUDA GPUs. The host needs NVIDIA's driver and container toolkit; CUDA itself comes with
# torch's wheels. Build it in the repository's root:
#   docker build -f docker/cuda.Dockerfile -t segbench:cuda .
#   docker run --rm --gpus all -v "$SEGBENCH_DATA:/data:ro" -v "$PWD:/work" segbench:cuda plugins
FROM python:3.12-slim-bookworm

# torch.compile needs a C compiler for its kernels on the GPU and a C++ compiler for the CPU.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --mode 1777 /work /cache

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir "./[mlflow,tensorboard,tensorrt,video,wandb]"

# Any user may run it: --user "$(id -u):$(id -g)" writes results as yourself.
USER 1000:1000
ENV HOME=/cache \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,video \
    NVIDIA_VISIBLE_DEVICES=all \
    SEGBENCH_CACHE=/cache \
    SEGBENCH_DATA=/data \
    USER=segbench
WORKDIR /work
ENTRYPOINT ["segbench"]
CMD ["--help"]
