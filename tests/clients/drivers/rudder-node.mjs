import {createRequire} from 'node:module';
import {base, key, order, who} from './device.mjs';

const Rudder = createRequire(import.meta.url)('@rudderstack/rudder-sdk-node');
const client = new Rudder(key, {dataPlaneUrl: base, flushAt: 4, logLevel: 'error', errorHandler: error => {
  console.error(error);
  process.exitCode = 1;
}});
const anonymousId = `${who}-anon`;
const userId = `${who}-user`;
client.identify({anonymousId, userId, traits: {email: `${who}@example.com`, name: '李雷', age: 31}});
client.track({
  userId,
  anonymousId,
  event: 'Order Completed',
  messageId: `${who}-order`,
  originalTimestamp: new Date('2026-01-02T03:04:05.678Z'),
  properties: order,
  context: {ip: '203.0.113.9', campaign: {source: 'baidu', name: 'c1'}, locale: 'zh-CN', app: {version: '2.1'}},
  integrations: {All: true, Mixpanel: false},
});
client.track({anonymousId, event: 'Product Viewed', properties: {sku: 'p1'}});
client.page({anonymousId, name: 'Home', properties: {url: 'https://shop.example/', category: 'Docs'}});
client.screen({userId, name: 'Cart', properties: {items: 2}});
client.group({userId, groupId: 'g-1', traits: {plan: 'vip'}});
client.alias({userId, previousId: `${who}-before`});
await client.flush();
