/// <reference types="vite/client" />

/** The package types only its full build; the light one is the same without what we do not use. */
declare module 'hls.js/light' {
  export { default } from 'hls.js'
}
