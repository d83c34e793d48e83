# syntax=docker/dockerfile:1
# docker build -t lookalike . && docker run -p 127.0.0.1:9340:9340 -v lookalike:/data lookalike

FROM rust:1.95.0-bookworm AS chef
# The image's own toolchain: rust-toolchain.toml would have rustfmt and clippy fetched beside it.
ENV RUSTUP_TOOLCHAIN=1.95.0
RUN cargo install --locked cargo-chef@0.1.78
WORKDIR /src

# What the dependencies are built from: it changes with the manifests alone, not with the sources.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
COPY tools tools
RUN python3 tools/fetch_onnxruntime.py .cache/onnxruntime
COPY --from=plan /src/recipe.json .
RUN cargo chef cook --release --locked --bin lookalike
COPY . .
RUN cargo build --release --locked --bin lookalike \
    && python3 packaging/prefix.py /prefix && install -d -m 0700 /empty

# The C library, certificates and time zones: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Lookalike" \
    org.opencontainers.image.description="A self-hosted server that speaks Amazon Rekognition's face API with real inference" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
COPY --from=build /prefix/lib /usr/local/lib
COPY --from=build /prefix/share /usr/local/share
COPY --from=build /prefix/bin /usr/local/bin
COPY --from=build --chown=10001:10001 /empty /data
# Packs that are pulled go to the volume; the default pack stays in the image. Nothing but the
# volume is written: the root may be read-only.
ENV LOOKALIKE_LISTEN=0.0.0.0:9340 \
    LOOKALIKE_DATA=/data \
    LOOKALIKE_MODELS=/data/models \
    SQLITE_TMPDIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 9340
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --start-interval=1s CMD ["lookalike", "health"]
ENTRYPOINT ["lookalike"]
