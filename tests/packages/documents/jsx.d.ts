// The types of JSX, which are React's, which is not installed here.

declare namespace JSX {
  interface IntrinsicElements {
    [name: string]: object;
  }
}
