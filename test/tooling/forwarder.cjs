// Lambda's runtime API for the programs that provided.al2023 runs, so that
// serverless-offline, which has no such runtime, runs them unmodified: a handler
// in Node that hands each event to one of a function's processes, and what that
// answers to API Gateway. A process serves one event after the other, as Lambda
// keeps a function warm; more events than processes start more of them.
//
// FORWARDER_<name> is the program of the function, FORWARDER_<name>_ENV the JSON
// of its environment.
const http = require('http')
const { spawn } = require('child_process')
const { randomUUID } = require('crypto')

const most = 8 // processes of a function
const pools = new Map()

class Pool {
  constructor (name) {
    this.program = process.env[`FORWARDER_${name}`]
    this.env = JSON.parse(process.env[`FORWARDER_${name}_ENV`])
    this.waiting = [] // events that no process has
    this.idle = [] // answers to processes that ask for the next event
    this.running = new Map() // callbacks, by the id of the request
    this.processes = 0
    this.server = http.createServer((req, res) => this.serve(req, res))
    this.listening = new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve))
  }

  async invoke (event, done) {
    await this.listening
    const id = randomUUID()
    this.running.set(id, done)
    this.waiting.push({ id, text: JSON.stringify(event) })
    if (this.waiting.length > this.idle.length && this.processes < most) this.start()
    this.match()
  }

  start () {
    this.processes++
    const { port } = this.server.address()
    const child = spawn(this.program, [], {
      env: { ...this.env, AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    child.on('exit', (code, signal) => {
      this.processes--
      console.error(`${this.program} ended: ${code ?? signal}`)
    })
  }

  match () {
    while (this.waiting.length > 0 && this.idle.length > 0) {
      const { id, text } = this.waiting.shift()
      this.idle.shift().writeHead(200, {
        'Content-Type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': id,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + 29000),
        'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:us-east-1:123456789012:function:forwarded',
      }).end(text)
    }
  }

  serve (req, res) {
    const [, what] = req.url.split('/2018-06-01/runtime/')
    if (what === 'invocation/next') {
      this.idle.push(res)
      res.on('close', () => { // The process has gone, or has its event.
        this.idle = this.idle.filter((other) => other !== res)
      })
      this.match()
      return
    }
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const [, id, kind] = what.split('/')
      res.writeHead(202).end()
      const done = this.running.get(id)
      this.running.delete(id)
      if (done === undefined) return
      // API Gateway takes the text of an error for the answer of an authorizer.
      if (kind === 'response') done(null, JSON.parse(text))
      else done(JSON.parse(text).errorMessage)
    })
  }
}

function handler (name) {
  return (event, context, done) => {
    if (!pools.has(name)) pools.set(name, new Pool(name))
    pools.get(name).invoke(event, done)
  }
}

exports.authorizer = handler('authorizer')
exports.websocket = handler('websocket')
