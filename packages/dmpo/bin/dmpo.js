#!/usr/bin/env node
// Committed (rather than built) so that package managers can link the command before the first build.
import '../dist/cli/main.js';
