import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { Ledger } from '../support/ledger.ts';
import type { TestNode } from '../support/node.ts';
import { Device } from './device.ts';

/** A lease that makes a test quick: the node renews four times in it. */
export const quickLease = { 'cluster.leaseMs': 2000, 'cluster.renewMs': 500 } as const;

const perSecond = 50;

/**
 * The load under which faults are judged: a publisher on each node sends QoS 1 and QoS 2; all of it goes to a
 * persistent subscriber with QoS 1 on the first node, one with QoS 2 on the last, and a clean one with QoS 2 on the second,
 * unless devices `roam`: what comes while it is away is not for a clean session.
 */
export class Load {
  readonly ledger = new Ledger();
  readonly publishers: readonly Device[];
  readonly subscribers: readonly Device[];

  /** `roam` gives the ports that a device tries whose home is the n-th node; without it everyone stays at home. */
  constructor(nodes: readonly TestNode[], roam?: (home: number) => readonly number[]) {
    const ports = roam ?? ((home: number): number[] => [nodes[home]!.port]);
    const { ledger } = this;
    const last = nodes.length - 1;
    this.publishers = nodes.map((_, home) => new Device({ id: `publisher-${home}`, ports: () => ports(home), ledger }));
    const subscriber = (id: string, home: number, qos: 1 | 2, clean: boolean): Device =>
      new Device({ id, ports: () => ports(home), ledger, clean, subscribe: { filters: ['load/#'], qos } });
    this.subscribers = [
      subscriber('persistent-qos-1', 0, 1, false),
      subscriber('persistent-qos-2', last, 2, false),
      ...(roam === undefined ? [subscriber('clean-qos-2', Math.min(1, last), 2, true)] : []),
    ];
  }

  get devices(): readonly Device[] {
    return [...this.publishers, ...this.subscribers];
  }

  get acknowledged(): number {
    return this.publishers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  async start(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.ready()));
    for (const publisher of this.publishers) {
      publisher.pump([{ topic: `load/${publisher.id}/1`, qos: 1 }, { topic: `load/${publisher.id}/2`, qos: 2 }], perSecond);
    }
    await this.flows();
  }

  /** Every publisher gets `count` more acknowledgements. */
  async flows(count = 20, withinMs = 20_000): Promise<void> {
    const before = new Map(this.publishers.map((publisher) => [publisher, publisher.acknowledged]));
    const lags = (): Device[] => this.publishers.filter((publisher) => publisher.acknowledged < before.get(publisher)! + count);
    await eventually(() => lags().length === 0, { withinMs, what: () => `flow of acknowledgements to ${lags().map(({ id }) => id).join(', ')}` });
  }

  /** Ends the load and judges it: all that was acknowledged has come, QoS 2 once (unless it `mayRepeat`), in order. */
  async judge(withinMs = 20_000, mayRepeat = false): Promise<void> {
    await Promise.all(this.publishers.map((publisher) => publisher.settle(withinMs)));
    // also those that a test added: what is judged is the whole ledger
    for (const id of this.ledger.subscribers) {
      await eventually(() => this.ledger.missing(id) === 0, { withinMs, what: () => `the last ${this.ledger.missing(id)} of ${this.acknowledged} messages at ${id}` });
    }
    if (mayRepeat) {
      const { lost, disordered, foreign } = this.ledger.verdict();
      assert.deepEqual({ lost, disordered, foreign }, { lost: [], disordered: [], foreign: [] });
    } else {
      this.ledger.assertHolds();
    }
    for (const device of this.devices) device.leave();
  }

  /** Nobody lost a connection since the load began. */
  assertKept(): void {
    assert.deepEqual(this.devices.filter(({ losses }) => losses > 0).map(({ id, losses }) => `${id}: ${losses}`), [], 'lost connections');
  }
}
