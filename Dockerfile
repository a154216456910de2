# syntax=docker/dockerfile:1
# gan_lightning for the processor, or with TORCH_INDEX=https://download.pytorch.org/whl/cu130 for
# NVIDIA GPUs; see `make image`.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
# torch is most of the image, and stays while only our own code changes; of equal versions pip takes
# the one with a suffix, as 2.14.1+cpu, which only that index has
COPY constraints.txt ./
RUN pip install --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" torch torchvision
COPY pyproject.toml README.md LICENSE ./
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
# runs are kept, and copies of data sets and their stores are read, outside the container
VOLUME ["/work/runs", "/work/data"]
ENTRYPOINT ["gan-lightning"]
CMD ["--help"]
