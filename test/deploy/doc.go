// Package deploy holds the reference deployments of examples/ to what the code
// does: Terraform, SAM and the Serverless Framework. It is a module of its own,
// for its parsers are heavier than the library.
package deploy
