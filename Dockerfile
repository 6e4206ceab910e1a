# syntax=docker/dockerfile:1
# volflow: one image for the API, the workers and the command line. `docker build -t volflow:0.1.0 .`

# glibc, which Temporal's native module needs, and the release of Debian whose qemu volflow is tested with.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /opt/volflow

FROM base AS build
COPY package.json package-lock.json .npmrc ./
# Without install scripts: the only package that needs one brings Node, which is here already.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM base AS production
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY --from=build /opt/volflow/dist dist
# Workers start without bundling, and on a read-only file system.
RUN node dist/workers/main.js bundle --prebuild

FROM base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        bubblewrap bzip2 ca-certificates qemu-block-extra qemu-utils tini util-linux \
    && rm -rf /var/lib/apt/lists/*
# New volumes take their owner from these folders.
RUN useradd --system --uid 10001 --home-dir /var/lib/volflow volflow \
    && install --directory --owner=volflow --group=volflow --mode=0700 \
        /var/lib/volflow /var/lib/volflow/volumes /var/lib/volflow/images
COPY --from=production /opt/volflow ./
RUN printf '#!/bin/sh\nexec node /opt/volflow/dist/workers/main.js "$@"\n' >/usr/local/bin/volflow \
    && chmod 755 /usr/local/bin/volflow
ENV NODE_ENV=production \
    # Reads, hashes and DNS share this pool; four threads would be the bottleneck of a busy data worker.
    UV_THREADPOOL_SIZE=16 \
    # Few malloc arenas, which keep the buffers of a chunk's size: see workers/up.ts.
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=33554432 \
    MALLOC_TRIM_THRESHOLD_=33554432 \
    VOLFLOW_DATA=/var/lib/volflow \
    VOLFLOW_CONFIG=/etc/volflow/volflow.yaml \
    VOLFLOW_HEALTH_PORT=8781
USER volflow
EXPOSE 8780
ENTRYPOINT ["tini", "--", "volflow"]
CMD ["--help"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --start-interval=1s CMD ["volflow", "health"]
