/**
 * Looks where Linux and the Vulkan loader look for libraries and drivers. Dawn finds out too, but only with warnings to the terminal
 * that nobody asked for who opens the device 'auto' on a machine without a graphics card.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type VulkanReport = 'no loader' | 'no driver' | 'present';

type Environment = Readonly<Record<string, string | undefined>>;

const LOADER = 'libvulkan.so.1';

/** `root` is another root of the file system, for tests. */
export function findVulkan(environment: Environment, root = '/'): VulkanReport {
  if (!hasLoader(environment, root)) return 'no loader';
  return hasDriver(environment, root) ? 'present' : 'no driver';
}

function hasLoader({ LD_LIBRARY_PATH }: Environment, root: string): boolean {
  const folders = ['lib', 'lib64', 'usr/lib', 'usr/lib64'].map((folder) => join(root, folder));
  if ([...paths(LD_LIBRARY_PATH), ...folders].some((folder) => existsSync(join(folder, LOADER)))) return true;
  try {
    // The list that ldconfig made of all other folders.
    return readFileSync(join(root, 'etc/ld.so.cache'), 'latin1').includes(LOADER);
  } catch {
    return false;
  }
}

function hasDriver(environment: Environment, root: string): boolean {
  const named = [environment.VK_DRIVER_FILES, environment.VK_ICD_FILENAMES, environment.VK_ADD_DRIVER_FILES];
  if (named.some((list) => paths(list).some((path) => existsSync(path)))) return true;
  const home = environment.HOME ?? '';
  const folders = [
    ...orElse(environment.XDG_CONFIG_HOME, join(home, '.config')),
    ...orElse(environment.XDG_CONFIG_DIRS, join(root, 'etc/xdg')),
    join(root, 'etc'),
    ...orElse(environment.XDG_DATA_HOME, join(home, '.local/share')),
    ...orElse(
      environment.XDG_DATA_DIRS,
      [join(root, 'usr/local/share'), join(root, 'usr/share')].join(delimiter),
    ),
    // NixOS.
    join(root, 'run/opengl-driver/share'),
  ];
  return folders.some((folder) => hasManifest(join(folder, 'vulkan/icd.d')));
}

function hasManifest(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name.endsWith('.json'));
  } catch {
    return false;
  }
}

function orElse(list: string | undefined, fallback: string): string[] {
  return paths(list || fallback);
}

function paths(list = ''): string[] {
  return list.split(delimiter).filter(Boolean);
}
