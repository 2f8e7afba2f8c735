import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';

const IDENTITY = ['-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main'];

/** A git repository with a working tree, as somebody would publish it. */
export class FakeRepository {
  /** @param folder where its working tree is; it need not exist */
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.git('init', '--quiet');
    this.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
  }

  git(...args: string[]): string {
    return execFileSync('git', ['-C', this.folder, ...IDENTITY, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: this.folder, GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  }

  /** Commits everything; returns the commit. */
  commit(message: string): string {
    this.git('add', '--all', '--force');
    this.git('commit', '--quiet', '--allow-empty', '--message', message);
    return this.git('rev-parse', 'HEAD');
  }
}

/** A server on loopback that serves the repositories below a folder. */
export interface GitServer {
  /** Address of a repository by its folder's name. */
  url(name: string): string;
  /** Requests so far, as a server would log them: one line for each service that was asked for. */
  readonly requests: string[];
  /** Command lines of processes whose arguments or environment named the password, seen while they were served. */
  readonly seenSecrets: string[];
  close(): Promise<void>;
}

async function listen(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** `git daemon`, one for each connection, as inetd starts it. */
export async function startGitDaemon(folder: string): Promise<GitServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    requests.push('connection');
    const args = ['daemon', '--inetd', '--export-all', `--base-path=${folder}`, folder];
    const child = spawn('git', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
    for (const stream of [socket, child.stdin]) stream.on('error', () => child.kill());
    socket.on('close', () => {
      sockets.delete(socket);
      child.kill();
    });
  });
  const port = await listen(server);
  return {
    url: (name) => `git://127.0.0.1:${port}/${name}`,
    requests,
    seenSecrets: [],
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Arguments and environments of all processes of this computer that name a secret. */
function processesWith(secret: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const texts = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
      return texts.some((text) => text.includes(secret)) ? [texts[0]?.replaceAll('\0', ' ') ?? ''] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/**
 * `git http-backend` behind a small server, which speaks CGI to it.
 * @param login who alone may read, by basic authentication
 */
export async function startGitHttp(folder: string, login?: { user: string; password: string }): Promise<GitServer> {
  const requests: string[] = [];
  const seenSecrets: string[] = [];
  const server = createServer((request, response) => {
    if (login !== undefined) {
      const wanted = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
      if (request.headers.authorization !== wanted) {
        request.resume();
        requests.push('refused');
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
        return;
      }
      // While the client that was let in waits for its answer.
      seenSecrets.push(...processesWith(login.password));
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const child = spawn('git', ['http-backend'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        REQUEST_METHOD: request.method,
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
    });
    request.pipe(child.stdin);
    child.stdin.on('error', () => child.kill());
    let head: Buffer | null = Buffer.alloc(0);
    child.stdout.on('data', (data: Buffer) => {
      if (head === null) return void response.write(data);
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const body = head.subarray(end + 4);
      for (const line of head.subarray(0, end).toString().split('\r\n')) {
        const [name = '', value = ''] = line.split(': ');
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      head = null;
      response.write(body);
    });
    child.on('close', () => response.end());
  });
  const port = await listen(server);
  return {
    url: (name) => `http://127.0.0.1:${port}/${name}`,
    requests,
    seenSecrets,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
