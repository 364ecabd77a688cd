import {base, key, order, who} from './device.mjs';

const {Analytics} = await import('@segment/analytics-node');
const analytics = new Analytics({writeKey: key, host: base, flushAt: 4, maxRetries: 3});
analytics.on('error', error => {
  console.error(error);
  process.exitCode = 1;
});
const anonymousId = `${who}-anon`;
const userId = `${who}-user`;
analytics.identify({anonymousId, userId, traits: {email: `${who}@example.com`, name: '李雷', age: 31}});
analytics.track({
  userId,
  anonymousId,
  event: 'Order Completed',
  messageId: `${who}-order`,
  timestamp: new Date('2026-01-02T03:04:05.678Z'),
  properties: order,
  context: {ip: '203.0.113.9', campaign: {source: 'baidu', name: 'c1'}, locale: 'zh-CN', app: {version: '2.1'}},
  integrations: {All: true, Mixpanel: false},
});
analytics.track({anonymousId, event: 'Product Viewed', properties: {sku: 'p1'}});
analytics.page({anonymousId, category: 'Docs', name: 'Home', properties: {url: 'https://shop.example/'}});
analytics.screen({userId, name: 'Cart', properties: {items: 2}});
analytics.group({userId, groupId: 'g-1', traits: {plan: 'vip'}});
analytics.alias({userId, previousId: `${who}-before`});
await analytics.closeAndFlush({timeout: 10_000});
