// Mocha's spec reporter, which also tells the process above it how many tests passed, failed and were skipped.
// CommonJS, because Mocha loads reporters with require.
const {
  reporters: { Spec },
} = require('mocha');

module.exports = class Tally extends Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      process.send?.({ passed: passes, failed: failures, skipped: pending });
    });
  }
};
