# syntax=docker/dockerfile:1.7
# Targets: worker (the last, so the default), export, triton-cpu. docs/operations.md says when which.
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.09-py3

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/worker
# The pinned packages first: a change of our own code does not install them again.
COPY deploy/constraints.txt ./
RUN /opt/worker/bin/pip install -r constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
RUN /opt/worker/bin/pip install --no-deps . && /opt/worker/bin/pip check

# LaMa checkpoint → verified model repository, written to the volume that Triton serves.
FROM ${PYTHON_IMAGE} AS export
# torch asks for a user's name and home; user 1000 has neither here.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 USER=export HOME=/tmp
WORKDIR /app
COPY export/requirements.txt export/requirements.txt
RUN pip install --extra-index-url https://download.pytorch.org/whl/cpu -r export/requirements.txt
COPY export export
# Empty volumes take over the owner of these folders: the one that Triton runs as.
RUN mkdir -p /models /weights /var/cache/triton && chown 1000:1000 /models /weights /var/cache/triton
USER 1000:1000
ENTRYPOINT ["python", "-m", "export"]
CMD ["build", "--weights", "big-lama", "--target", "onnxruntime", "--out", "/models/1", "--cache", "/weights"]

# The shipped models on a CPU: Python backend with ONNX Runtime. numpy 1 suits every release of that backend.
FROM ${TRITON_IMAGE} AS triton-cpu
# Its Python belongs to the operating system's packages; in an image that only serves models that is no loss.
RUN pip install --no-cache-dir --break-system-packages numpy==1.26.4 onnxruntime==1.22.1
COPY model_repository /models/1
USER 1000:1000

FROM ${PYTHON_IMAGE} AS worker
# Faces with serifs; the packaged fonts have none.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-nanum=20200506-1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/worker /opt/worker
# 1000 is Triton's user too: they share files in /dev/shm.
RUN groupadd --gid 1000 worker && useradd --uid 1000 --gid 1000 --no-create-home worker \
    && mkdir -p /app/output/temp_inpainted && chown -R 1000:1000 /app/output
ENV PATH=/opt/worker/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 METRICS_HOST=0.0.0.0
WORKDIR /app
USER 1000:1000
EXPOSE 9100
# Alive, not ready: a worker whose translator is away must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('METRICS_PORT', '9100') + '/healthz', timeout=4)"]
ENTRYPOINT ["operate-worker"]
CMD ["run"]
