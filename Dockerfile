# The service: pages, API, calls and a worker in one container.  docs/service.md has how to run it.
FROM python:3.12-slim-bookworm

# Debian keeps no old versions that a pin could name.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY constraints.txt ./
# Without CUDA's gigabytes; another index brings them.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -c constraints.txt --index-url "$TORCH_INDEX" torch

COPY pyproject.toml README.md LICENSE ./
COPY avatar avatar
COPY codec codec
COPY render render
COPY enroll enroll
COPY service service
COPY bench bench
COPY demo demo
RUN pip install --no-cache-dir -c constraints.txt ".[service,scale]"

RUN useradd --uid 10001 --create-home facewire && install -d -o facewire -m 700 /data
# By number, which a host that does not know the name can hold to be no root.
USER 10001
ENV FACEWIRE_DATA=/data FACEWIRE_HOST=0.0.0.0 FACEWIRE_LOG_JSON=1 NUMBA_CACHE_DIR=/tmp/numba
VOLUME /data
EXPOSE 8710
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8710/healthz')"]
CMD ["facewire", "serve"]
