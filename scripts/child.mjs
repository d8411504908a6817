// A server process of ours: it does not outlive us, and when it ends is up to us.
import { spawn } from 'node:child_process';

const killAfterMs = 20_000;

/**
 * Spawns `command`. `detached` puts it into a process group of its own, so that Ctrl-C in the terminal reaches only us
 * and we choose what ends first.
 */
export function startChild(command, args, options) {
  const child = spawn(command, args, options);
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  let hasEnded = false;
  const exited = new Promise((resolve) => {
    const end = (words) => {
      hasEnded = true;
      process.removeListener('exit', reap);
      resolve(words);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => end(signal === null ? `exit code ${code}` : `ended by ${signal}`));
  });
  return {
    child,
    pid: child.pid,
    /** Resolves, in words, with how it ended. */
    exited,
    get hasEnded() {
      return hasEnded;
    },
    /** Sends the signal and waits for its end; kills it when that takes too long. */
    async end(signal) {
      child.kill('SIGCONT');
      child.kill(signal);
      const timer = setTimeout(reap, killAfterMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
