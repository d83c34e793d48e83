# syntax=docker/dockerfile:1
# docker build -t lookalike . && docker run -p 127.0.0.1:9340:9340 -v lookalike:/data lookalike

FROM rust:1.95-bookworm AS build
ARG TARGETARCH
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
COPY tools tools
RUN python3 tools/fetch_onnxruntime.py /runtime
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY migrations migrations
COPY models/catalog.toml models/catalog.toml
COPY benches benches
COPY crates crates
COPY src src
# A cache for each architecture: builds of two of them run side by side.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    cargo build --release --locked --bin lookalike && cp target/release/lookalike /lookalike

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /data --create-home lookalike
COPY --from=build /lookalike /usr/local/bin/lookalike
COPY --from=build /runtime/libonnxruntime.so /usr/local/lib/lookalike/libonnxruntime.so
COPY models/default /usr/local/share/lookalike/models/default
# Packs that are pulled go to the volume; the default pack stays in the image.
ENV LOOKALIKE_LISTEN=0.0.0.0:9340 \
    LOOKALIKE_DATA=/data \
    LOOKALIKE_MODELS=/data/models \
    LOOKALIKE_PACK=/usr/local/share/lookalike/models/default \
    ORT_DYLIB_PATH=/usr/local/lib/lookalike/libonnxruntime.so
USER lookalike
VOLUME /data
EXPOSE 9340
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["lookalike", "health"]
ENTRYPOINT ["lookalike"]
