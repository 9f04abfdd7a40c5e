# The service as an image: no training, no compiler, no pip, not root. Run it with docker-compose.yml.
#
#   docker build -t mcse .
#   docker build -t mcse --build-arg TORCH_INDEX=URL .    torch from another package index, for instance the CPU builds

# An operator who wants the same base every time gives it here with its digest: python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
WORKDIR /app

# What is locked comes first and with its hashes; then torch, which brings what its build for this platform needs.
COPY requirements.lock requirements-torch.txt requirements-kernels.lock ./
RUN python -m pip install --no-deps --require-hashes --only-binary :all: -r requirements.lock
RUN python -m pip install --only-binary :all: ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements-torch.txt

# The compiler of the kernels, in a place of its own.
RUN python -m pip install --no-deps --require-hashes --only-binary :all: --target /opt/compiler -r requirements-kernels.lock

# What only building and testing need. torch does not import without bin/torch_shm_manager.
RUN python -m pip uninstall --yes pip \
    && rm requirements.lock requirements-torch.txt requirements-kernels.lock \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf torch/include torch/share torch/test \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type f \( -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.pxd' -o -name '*.pyx' \) -delete \
    && find . -type f -name conftest.py -delete \
    && find . -type d -name tests -prune -exec rm -rf {} +

# Readable by the user below whatever the permissions were outside, and writable by nobody.
COPY LICENSE ./
COPY models models
COPY service service
RUN if [ "$(uname -m)" = x86_64 ]; then export PYTHONPATH=/opt/compiler; \
        python -m models.runtime.native.build && python -m service.search.graph.build; fi \
    && chmod -R u=rwX,go=rX /app && python -m compileall -q models service

# A damaged or missing checkpoint, or a part that is missing here, shall end the build and not the first start.
RUN python -m models verify models/checkpoints/mcse-minilm-l6 && python -c "import service.server"


FROM ${BASE}
ARG REVISION=""
LABEL org.opencontainers.image.title="mcse" \
      org.opencontainers.image.description="Self-hosted sentence embeddings and semantic search, grounded in images." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

# The base brings what installs packages, and programs that run as root for whoever calls them.
RUN find / -xdev \( -path '*-packages/pip' -o -path '*-packages/pip-*' -o -path '*-packages/wheel*' -o -name ensurepip \) \
        -prune -exec rm -rf {} + \
    && find / -xdev \( -path '*/bin/pip*' -o -path /etc/pip.conf \) -delete \
    && find /var/cache/apt /var/lib/apt/lists -xdev -type f -delete \
    && find / -xdev -type f -perm /6000 -exec chmod ug-s {} +

RUN groupadd --gid 10001 mcse \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin mcse \
    && install --directory --owner 10001 --group 10001 --mode 0750 /data

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOKENIZERS_PARALLELISM=false \
    HF_HUB_OFFLINE=1 \
    HF_HOME=/data/hub \
    MCSE_HOST=0.0.0.0 \
    MCSE_PORT=8080 \
    MCSE_DATA_DIR=/data

WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "service", "healthcheck"]
ENTRYPOINT ["python", "-m", "service"]
