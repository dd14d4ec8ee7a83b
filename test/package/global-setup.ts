import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed tarball. */
    tarball: string
    /** A project, at a path with spaces, that the tarball was installed into. */
    app: string
  }
}

const root = path.join(__dirname, '..', '..')
let directory: string

/** A folder with links to Node, npm and a shell and nothing else: a PATH without a compiler. */
function pathWithoutCompiler(): string {
  const bin = path.join(directory, 'bin')
  fs.mkdirSync(bin)
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  fs.symlinkSync(process.execPath, path.join(bin, 'node'))
  fs.symlinkSync(fs.realpathSync(npm), path.join(bin, 'npm'))
  fs.symlinkSync('/bin/sh', path.join(bin, 'sh'))
  return bin
}

/** Packs the repository and installs the tarball as a user does. */
export function setup(project: TestProject): void {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog package '))
  try {
    packAndInstall(project)
  } catch (error) {
    teardown()
    throw error
  }
}

function packAndInstall(project: TestProject): void {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: root, stdio: 'inherit' })
  const name = fs.readdirSync(directory).find(file => file.endsWith('.tgz'))
  if (name === undefined) throw new Error('npm pack made no tarball')
  const tarball = path.join(directory, name)
  const app = path.join(directory, 'my app')
  fs.mkdirSync(app)
  fs.writeFileSync(path.join(app, 'package.json'), JSON.stringify({ name: 'my-app', private: true }))
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', tarball], {
    cwd: app,
    env: { ...process.env, PATH: pathWithoutCompiler() },
    stdio: 'inherit'
  })
  project.provide('tarball', tarball)
  project.provide('app', app)
}

export function teardown(): void {
  if (directory) fs.rmSync(directory, { recursive: true, force: true })
}
