/** A page in a headless Chromium that has WebGPU in software: served over http, isolated, so that it may use threads. */

import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { chromiumFolder } from '../../scripts/software-gpu.ts';

export interface BrowserPage {
  readonly page: Page;
  /** What the page wrote to its console and what went wrong in it, one line each. */
  readonly messages: readonly string[];
  close(): Promise<void>;
}

const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--headless=new',
  '--no-sandbox',
];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
};

/**
 * Serves the files, by path without a leading slash, and opens `index.html` among them. DMPO_TEST_CHROMIUM names another Chrome or
 * Chromium than the one that comes with the packages, which is for Linux on x64.
 */
export async function openBrowserPage(files: ReadonlyMap<string, string | Uint8Array>): Promise<BrowserPage> {
  const server = await serve(files);
  try {
    const browser = await chromium.launch({ ...chromiumProgram(), args: FLAGS });
    const page = await browser.newPage();
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(String(error)));
    await page.goto(server.address);
    return {
      page,
      messages,
      async close() {
        await browser.close();
        server.close();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  }
}

function chromiumProgram(): { executablePath: string; env: Record<string, string> } {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const own = process.env.DMPO_TEST_CHROMIUM;
  if (own) return { executablePath: own, env };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      'Set DMPO_TEST_CHROMIUM to the path of a Chrome or Chromium, or leave browser tests out with DMPO_TEST_SKIP=browser.',
    );
  const folder = chromiumFolder();
  const executablePath = join(folder, 'chromium');
  if (spawnSync(executablePath, ['--version'], { env }).status === 0) return { executablePath, env };
  // Small systems lack libraries (NSS); the package carries them.
  const libraries = [join(folder, 'al2023/lib'), env.LD_LIBRARY_PATH ?? ''].filter(Boolean).join(delimiter);
  return { executablePath, env: { ...env, LD_LIBRARY_PATH: libraries } };
}

async function serve(files: ReadonlyMap<string, string | Uint8Array>) {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1) || 'index.html';
    const content = files.get(path);
    response.writeHead(content === undefined ? 404 : 200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      // A page with these is cross-origin isolated: it may share memory between threads.
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
