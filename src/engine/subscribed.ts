/** How many subscriptions the clients connected to this node have. */
export class Subscribed {
  all = 0;
  shared = 0;
  /** those that may want `$SYS` topics: while there are none, nothing of these is made */
  sys = 0;

  add(filter: string): void {
    this.#change(filter, 1);
  }

  remove(filter: string): void {
    this.#change(filter, -1);
  }

  #change(filter: string, by: 1 | -1): void {
    this.all += by;
    if (!filter.startsWith('$')) return;
    if (filter.startsWith('$share/')) this.shared += by;
    else if (isSysFilter(filter)) this.sys += by;
  }
}

/** Whether a filter is for the broker's own topics. A leading wildcard does not match them [MQTT-4.7.2-1]. */
export function isSysFilter(filter: string): boolean {
  return filter === '$SYS' || filter.startsWith('$SYS/');
}
