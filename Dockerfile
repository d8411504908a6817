FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts scripts
COPY cluster cluster
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY deploy/swarmq.yaml /etc/swarmq/swarmq.yaml
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/swarmq

# by number, so that Kubernetes can see that it is not root
USER 1000:1000
EXPOSE 1883 9090
HEALTHCHECK --interval=2s --timeout=2s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9090/health/ready').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]

# the process is PID 1 and takes SIGTERM itself: it drains, then exits
STOPSIGNAL SIGTERM
ENTRYPOINT ["swarmq"]
CMD ["start", "--config", "/etc/swarmq/swarmq.yaml"]
