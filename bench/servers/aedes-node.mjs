/**
 * One Aedes broker as its documentation sets it up: `aedes-node.mjs PORT [REDIS_PORT]`. In memory, or with the
 * persistence and the emitter for Redis. Plain JavaScript, so that no loader runs inside what is measured.
 */
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import createEmitter from 'mqemitter-redis';
import createPersistence from 'aedes-persistence-redis';

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = { host: '127.0.0.1', port: redisPort };
const broker = await Aedes.createBroker(
  redisPort === undefined ? {} : { mq: createEmitter(redis), persistence: createPersistence(redis) },
);
const server = createServer({ noDelay: true }, broker.handle);

process.on('SIGTERM', () => process.exit(0));
server.listen(port, '127.0.0.1', 4096, () => console.log(JSON.stringify({ msg: 'ready' })));
