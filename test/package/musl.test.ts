import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'

const app = inject('app')
const addon = path.join(app, 'node_modules', 'shardlog', 'prebuilds', 'linux-x64', 'shardlog.musl.node')

/**
 * A C program that stands in for Node: it has the functions that the addon asks Node for, and loads
 * the addon.
 */
function loader(): string {
  const asked = execFileSync('nm', ['-D', '--undefined-only', addon], { encoding: 'utf8' })
  const names = [...asked.matchAll(/\bU ((?:napi|node_api)_\w+)/g)].map(match => match[1])
  expect(names.length).toBeGreaterThan(20)
  return `
#include <dlfcn.h>
#include <stdio.h>
${names.map(name => `void ${name}(void) {}`).join('\n')}
int main(int argc, char** argv) {
  void* addon = dlopen(argv[argc - 1], RTLD_NOW);
  const char* problem = addon ? "" : dlerror();
  if (addon && !dlsym(addon, "napi_register_module_v1")) problem = "no entry point";
  printf("%s", problem);
  return 0;
}
`
}

it.runIf(process.arch === 'x64')('has an addon for musl whose every symbol musl or Node has', () => {
  const directory = fs.mkdtempSync(path.join(app, 'musl-'))
  const program = path.join(directory, 'load')
  fs.writeFileSync(`${program}.c`, loader())
  execFileSync('musl-gcc', ['-rdynamic', '-o', program, `${program}.c`, '-ldl'])
  expect(execFileSync(program, [addon], { encoding: 'utf8' })).toBe('')
})
