# Milepost as an image. Built by the commands of scripts/prepare.mjs, which CI runs too (.ci/image.mjs runs every step of this file);
# runs as an ordinary user, from nothing but what it needs. Everything it keeps is in the volume /data.
FROM node:24.20.0-bookworm-slim AS build
WORKDIR /milepost
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --no-audit --no-fund --loglevel=error
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY migrations migrations
COPY simulator simulator
COPY bench bench
COPY test test
COPY src src
RUN node node_modules/@nestjs/cli/bin/nest.js build
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error

FROM node:24.20.0-bookworm-slim
LABEL org.opencontainers.image.title="Milepost" \
      org.opencontainers.image.description="Self-hosted fleet telematics: positions that are never lost, evidence video, commands with a fate" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /milepost
COPY LICENSE package.json ./
COPY --from=build /milepost/node_modules node_modules
COPY --from=build /milepost/dist/migrations dist/migrations
COPY --from=build /milepost/dist/src dist/src
RUN install -d -o 1000 -g 1000 -m 700 /data
# The user `node` of the image, as a number, so that a cluster can see that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 3000 5027/tcp 5027/udp 5004/tcp 5004/udp 5046/tcp 5046/udp 5034/tcp
# Alive, not ready: what is not ready because a store is away must not be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 3000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
# Node itself gets the signals. Run with an init (docker run --init, `init: true`), so that nothing the media tool leaves stays a zombie.
CMD ["node", "--enable-source-maps", "dist/src/main.js"]
