import { Worker } from 'node:worker_threads';
import { CxrGazeError, type ErrorCode } from '../errors.js';
import type { Pixels } from './dataset.js';
import { type CheckedLimits, imageError } from './decode-limits.js';

/** What goes to the thread. @internal */
export interface DicomRequest {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly limits: CheckedLimits;
}

/** What comes back from it. @internal */
export type DicomReply =
  | { readonly pixels: Pixels }
  | {
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly details: Record<string, unknown>;
      };
    };

interface Job {
  readonly request: DicomRequest;
  readonly resolve: (pixels: Pixels) => void;
  readonly reject: (error: CxrGazeError) => void;
}

/**
 * One thread, begun with the first DICOM file: the codecs are WebAssembly and take half a second for a
 * large radiograph, in which the event loop must go on; and what a crafted file does to a codec's memory
 * it does there. One job at a time, so that a crash has one culprit; the next job gets a new thread. An idle
 * thread does not keep the process alive. @internal
 */
export class DicomThread {
  readonly #script: URL;
  readonly #queue: Job[] = [];
  #worker: Worker | undefined;

  /** @param script what the thread runs */
  constructor(script: URL) {
    this.#script = script;
  }

  /** @returns the pixels of one file, after those asked for before */
  decode(request: DicomRequest): Promise<Pixels> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      if (this.#queue.length === 1) this.#send();
    });
  }

  #send(): void {
    const job = this.#queue[0];
    if (!job) {
      this.#worker?.unref();
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(job.request);
  }

  #start(): Worker {
    const worker = new Worker(this.#script);
    worker.on('message', (reply: DicomReply) => {
      const job = this.#queue.shift();
      if ('pixels' in reply) job?.resolve(reply.pixels);
      else
        job?.reject(
          new CxrGazeError(reply.error.code, reply.error.message, { details: reply.error.details }),
        );
      this.#send();
    });
    worker.on('error', (cause) => this.#lost(worker, cause));
    worker.on('exit', (status) => this.#lost(worker, new Error(`the thread ended with status ${status}`)));
    return worker;
  }

  #lost(worker: Worker, cause: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    const job = this.#queue.shift();
    job?.reject(imageError(job.request.name, `the DICOM decoder broke down: ${cause.message}`, {}, cause));
    this.#send();
  }
}

const thread = new DicomThread(new URL('./dicom-worker.js', import.meta.url));

/**
 * Decodes a DICOM file with one grey image to 8 bits: rescale, then the first VOI window (LINEAR,
 * LINEAR_EXACT or SIGMOID, PS3.3 C.11.2), else the full range of BitsStored, linear to 0..255; MONOCHROME1
 * is inverted. Uncompressed (little and big endian, explicit and implicit, deflated), JPEG of 8 bits, JPEG-LS
 * and JPEG 2000; other transfer syntaxes, colour and several frames are refused by name.
 *
 * @param bytes of the file
 * @param name what error messages call it
 * @throws `ERR_IMAGE`
 */
export function decodeDicom(bytes: Uint8Array, name: string, limits: CheckedLimits): Promise<Pixels> {
  return thread.decode({ bytes, name, limits });
}
