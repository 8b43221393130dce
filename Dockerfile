# Martlet in a container. Built and run once by hand, with buildah on Debian 12 and stand-ins for the two base images (debootstrap's
# Debian 12, and Swift 6.3.1 on it), for no registry was within reach. Not built by our CI: please tell us where it fails.
#   docker build -t martlet .
#   docker run -p 1883:1883 -v "$PWD/config:/martlet/config" -v martlet-data:/martlet/data martlet
# The first line of `docker logs` says which configuration was read, what listens, and who may come in.
FROM swift:6.3-bookworm AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends libsqlite3-dev libargon2-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The versions of a checkout that was built before, where there are any.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY . .
RUN swift build -c release --product martlet --static-swift-stdlib \
    && install -D "$(swift build -c release --show-bin-path)/martlet" /out/martlet

FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends ca-certificates libsqlite3-0 libargon2-1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1883 --home-dir /martlet --shell /usr/sbin/nologin martlet \
    && install -d -o martlet -g martlet /martlet/config /martlet/data
COPY --from=build /out/martlet /usr/local/bin/martlet
COPY Packaging/docker/martlet.conf /martlet/config/martlet.conf
USER martlet
WORKDIR /martlet/data
VOLUME ["/martlet/data"]
# Which of them are open says the configuration: MQTT, MQTT over TLS, WebSocket.
EXPOSE 1883 8883 9001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/martlet"]
CMD ["broker", "-c", "/martlet/config/martlet.conf"]
