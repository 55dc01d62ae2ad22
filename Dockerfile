# syntax=docker/dockerfile:1
# One static binary on nothing: no shell, no package manager; glibc is linked in, so its patches come by building anew.
#   docker build -t ninjaone-proxy .

FROM rust:1.95.0-slim-bookworm AS build
# glibc, linked statically: the same C library that the tests run with. aws-lc is C and needs gcc, which the image has.
ENV RUSTFLAGS="-C target-feature=+crt-static" \
    CARGO_TERM_COLOR=never
WORKDIR /build
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY src src
COPY deploy/image-root deploy/image-root
# A named target keeps the static flags away from build scripts and procedural macros, which are loaded as libraries.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    target="$(rustc --print host-tuple)" \
    && cargo build --release --locked --target "$target" \
    && deploy/image-root "target/$target/release/ninjaone-proxy" /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
# 6465 callers, 6466 admin, 6467 probes, 6470 metrics. Which of them listen beyond loopback is the configuration's choice.
EXPOSE 6465 6466 6467 6470
VOLUME ["/var/lib/ninjaone-proxy", "/var/log/ninjaone-proxy/audit"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["/ninjaone-proxy", "healthcheck"]
ENTRYPOINT ["/ninjaone-proxy"]
CMD ["run"]
