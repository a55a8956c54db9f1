/** A Python program as text, which the bundler puts into the bundle. */
declare module '*.py' {
  const program: string;
  export default program;
}
