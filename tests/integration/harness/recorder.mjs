// A plain HTTP proxy on loopback that writes down what it is sent, byte for byte, and passes it on.

import { createServer, request as httpRequest } from 'node:http';
import { pipeline } from 'node:stream';

export class Recorder {
  // Before the server on `port` of 127.0.0.1.
  static async start(t, port) {
    const recorder = new Recorder();
    recorder.exchanges = [];
    recorder.http = createServer({ requestTimeout: 0, keepAliveTimeout: 30_000 }, (request, response) => recorder.pass(request, response, port));
    await new Promise((resolve) => recorder.http.listen(0, '127.0.0.1', resolve));
    t.after(() => recorder.stop());
    return recorder;
  }

  get origin() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  pass(request, response, port) {
    const { method, url, rawHeaders, httpVersion } = request;
    const body = [];
    this.exchanges.push({ method, url, rawHeaders, httpVersion, body });
    request.on('data', (chunk) => body.push(chunk));
    const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers: request.headers, agent: false });
    onward.once('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      pipeline(answer, response, () => {});
    });
    onward.once('error', () => response.destroy());
    response.once('close', () => onward.destroy());
    pipeline(request, onward, () => {});
  }

  // What came so far, in the order of arrival; a message that comes while another one runs may
  // overtake it, so that the streams of GET are told apart from the rest.
  take() {
    const all = this.exchanges.splice(0).map(({ method, url, rawHeaders, httpVersion, body }) => ({
      method, url, httpVersion, rawHeaders, body: Buffer.concat(body).toString('latin1'),
    }));
    return [...all.filter(({ method }) => method !== 'GET'), ...all.filter(({ method }) => method === 'GET')];
  }

  async stop() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
