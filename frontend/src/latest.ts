// Work that may be asked for more often than it can be done.

/** Return a function that calls `work` with its newest value, one call at a time. */
export function latest<T>(work: (value: T) => Promise<void>): (value: T) => void {
  let waiting: { value: T } | null = null;
  let isBusy = false;

  async function run(): Promise<void> {
    isBusy = true;
    while (waiting) {
      const { value } = waiting;
      waiting = null;
      await work(value);
    }
    isBusy = false;
  }

  return (value) => {
    waiting = { value };
    if (!isBusy) void run();
  };
}
