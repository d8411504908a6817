// Apache Kafka as Maven Central's jars.
import { ensureJars } from './maven-jars.mjs';

export const kafkaVersion = process.env.SWARMQ_KAFKA_VERSION ?? '4.3.1';

/** The folder with Kafka's jars; fetches them, and Java and Maven too, where they are missing. */
export function ensureKafkaJars() {
  // slf4j-simple prints Kafka's log on standard error; Kafka itself brings only the interface
  return ensureJars('kafka', kafkaVersion, [`org.apache.kafka:kafka_2.13:${kafkaVersion}`, 'org.slf4j:slf4j-simple:1.7.36']);
}
