// Work that may be asked for more often than it can be done.

/**
 * Return a function that calls `work` with its newest value, one call at a time.
 *
 * An urgent value does not wait for the call in progress.
 */
export function latest<T>(
  work: (value: T) => Promise<void>,
): (value: T, isUrgent?: boolean) => void {
  let waiting: { value: T } | null = null;
  let calls = 0;

  async function run(): Promise<void> {
    calls++;
    try {
      while (waiting) {
        const { value } = waiting;
        waiting = null;
        await work(value);
      }
    } finally {
      calls--;
    }
  }

  return (value, isUrgent = false) => {
    waiting = { value };
    if (isUrgent || calls === 0) void run();
  };
}
