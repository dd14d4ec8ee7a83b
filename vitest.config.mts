import { configDefaults, defineConfig } from 'vitest/config'

// The tests fork children, fill disks and load the addon, so each file gets a process of its own;
// two at a time is what the smallest supported build machine has cores for.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/package/**'],
    // No test runs on an old build, whichever way it is started.
    globalSetup: ['test/support/built.ts'],
    forceRerunTriggers: [...configDefaults.forceRerunTriggers, 'lib/**', 'native/**/*.{cc,h}'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true
  }
})
