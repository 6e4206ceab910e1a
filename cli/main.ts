#!/usr/bin/env node
import { createProgram } from './program.ts'
import { runProgram } from './run.ts'

process.exitCode = await runProgram(createProgram(), process.argv)
