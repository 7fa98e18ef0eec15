/*
 * A backend made of the real node-mname, so that the balancer is tested against the program that
 * it was made for: node server.js PATH [ID]. It prints "listening PATH" when it can be connected
 * to.
 *
 * It answers A with an address made of the name (10.x.y.z), TXT `size-N.…` with some N bytes of
 * text, and CH TXT `id.server` with its id, PATH's last part unless told. SIGTERM unlinks and ends
 * it, as Binder does. For SERVFAIL_FOR_MS (environment) after its start it has no data, as a Binder
 * that has not read ZooKeeper yet, and answers SERVFAIL. For LOAD_FOR_MS after its start its names
 * are loaded one by one, and REFUSED before.
 *
 * PTR is looked up as Binder does it, in an object that knows no address, so what every object of
 * JavaScript has (`constructor.in-addr.arpa`) is found, and ends the process.
 *
 * node-mname was written for a Node in which a stream did not destroy itself after its end. Since
 * that default changed, answers that are not ready when a client half-closes are lost; the old
 * default is set back here, before node-mname makes its streams.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const stream = require('stream');

const original = stream.Transform;
stream.Transform = function Transform(options) {
    return original.call(this, Object.assign({ autoDestroy: false }, options));
};
Object.setPrototypeOf(stream.Transform, original);
stream.Transform.prototype = original.prototype;

const bunyan = require('bunyan');
const mname = require('mname');

const socketPath = process.argv[2];
const id = process.argv[3] || path.basename(socketPath);
const log = bunyan.createLogger({ name: 'node-mname', level: 'fatal' });
const server = mname.createServer({ log: log });

function addressOf(name) {
    let hash = 7;
    for (const char of name.toLowerCase())
        hash = (hash * 31 + char.charCodeAt(0)) & 0xffffff;
    return [10, hash >> 16, hash >> 8 & 255, hash & 255].join('.');
}

const nodes = {};
const startedAt = Date.now();
const coldUntil = startedAt + Number(process.env.SERVFAIL_FOR_MS || 0);

/** As Binder after its start: each name comes with a watch of its own, and is REFUSED before. */
function isLoaded(name) {
    const share = (Date.now() - startedAt) / Number(process.env.LOAD_FOR_MS || 0.001);
    return addressOf(name).split('.')[3] < share * 256;
}

/** As Binder has it: what was found is not asked whether it is a record. */
function answerReverse(query) {
    const node = nodes[query.name().split('.').reverse().slice(2).join('.')];
    if (!node) {
        query.setError('refused');
        return;
    }
    const record = node.data;
    const ttl = record.ttl === undefined ? record[record.type].ttl : record.ttl;
    query.addAnswer(query.name(), new mname.PTRRecord(node.domain), ttl);
}

server.on('query', function (query, done) {
    const name = query.name();
    const delay = /^delay-(\d+)\./.exec(name);
    setTimeout(function () {
        query.setError('noerror');
        if (Date.now() < coldUntil) {
            query.setError('servfail');
        } else if (name !== 'id.server' && !isLoaded(name)) {
            query.setError('refused');
        } else if (query.type() === 'PTR') {
            answerReverse(query);
        } else if (query.type() === 'A') {
            query.addAnswer(name, new mname.ARecord(addressOf(name)), 60);
        } else if (query.type() === 'TXT') {
            const size = /^size-(\d+)\./.exec(name);
            const text = name === 'id.server' ? id
                : size ? 'x'.repeat(Math.min(Number(size[1]), 255)) : name;
            const count = size ? Math.ceil(Number(size[1]) / 255) : 1;
            for (let i = 0; i < count; i++)
                query.addAnswer(name, new mname.TXTRecord(text), 60);
        } else {
            query.setError('enotimp');
        }
        query.respond();
        done();
    }, delay ? Number(delay[1]) : 0);
});

server.on('error', function (error) {
    console.error(error);
    process.exit(1);
});

fs.rmSync(socketPath, { force: true });
server.listenBalancer({ path: socketPath }, function () {
    console.log('listening ' + socketPath);
});

process.on('SIGTERM', function () {
    fs.rmSync(socketPath, { force: true });
    process.exit(0);
});
