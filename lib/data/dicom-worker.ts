import { parentPort } from 'node:worker_threads';
import { CxrGazeError } from '../errors.js';
import type { DicomReply, DicomRequest } from './dicom.js';
import { readDicom } from './dicom-reader.js';

async function answer({ bytes, name, limits }: DicomRequest): Promise<DicomReply> {
  try {
    return { pixels: await readDicom(bytes, name, limits) };
  } catch (error) {
    if (!(error instanceof CxrGazeError)) throw error;
    return { error: { code: error.code, message: error.message, details: { ...error.details } } };
  }
}

parentPort?.on('message', async (request: DicomRequest) => {
  const reply = await answer(request);
  parentPort?.postMessage(reply, 'pixels' in reply ? [reply.pixels.data.buffer as ArrayBuffer] : []);
});
