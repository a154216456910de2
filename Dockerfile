# syntax=docker/dockerfile:1
# gan_lightning on the CPU, or with TORCH_INDEX=https://download.pytorch.org/whl/cu130 on NVIDIA GPUs; see `make image`.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
# A layer of its own for torch, most of the image, which stays cached while only our code changes. pip prefers a
# version with a local suffix, for example 2.14.1+cpu, which only PyTorch's index has.
COPY constraints.txt ./
RUN pip install --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" torch torchvision
COPY pyproject.toml LICENSE ./
COPY docs/pypi.md docs/
COPY gan_lightning gan_lightning
COPY experiments experiments
RUN pip install --constraint constraints.txt '.[all]'

FROM python:${PYTHON}-slim
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 gan \
    && mkdir --parents /work/runs /work/data \
    && chown --recursive gan:gan /work
USER gan
WORKDIR /work
# runs are kept, and datasets and their stores are read, outside of the container
VOLUME ["/work/runs", "/work/data"]
ENTRYPOINT ["gan-lightning"]
CMD ["--help"]
