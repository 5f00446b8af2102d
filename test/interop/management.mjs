// The AWS SDK for JavaScript, version 3, against the management API:
//
//	node management.mjs ENDPOINT CONNECTION
//
// It posts "hello", asks about the connection, closes it, and prints when it was
// connected.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../tooling/package.json', import.meta.url));
const {
  ApiGatewayManagementApiClient, DeleteConnectionCommand, GetConnectionCommand, PostToConnectionCommand,
} = require('@aws-sdk/client-apigatewaymanagementapi');

const [endpoint, ConnectionId] = process.argv.slice(2);
const client = new ApiGatewayManagementApiClient({
  endpoint, region: 'us-east-1', credentials: { accessKeyId: 'AKIDINTEROP', secretAccessKey: 'interop' },
});
await client.send(new PostToConnectionCommand({ ConnectionId, Data: 'hello' }));
const { ConnectedAt } = await client.send(new GetConnectionCommand({ ConnectionId }));
await client.send(new DeleteConnectionCommand({ ConnectionId }));
console.log(ConnectedAt.toISOString());
