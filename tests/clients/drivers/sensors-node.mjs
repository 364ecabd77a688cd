import {createRequire} from 'node:module';
import {base, key, who} from './device.mjs';

const SensorsAnalytics = createRequire(import.meta.url)('sa-sdk-node');
const sa = new SensorsAnalytics();
const submitter = sa.submitTo({url: `${base}/sa?project=production&token=${key}`, mode: 'track', timeout: 10_000});
submitter.catch(error => {
  console.error(error);
  process.exitCode = 1;
});
const user = `${who}-user`;
sa.registerSuperProperties({platform: 'api'});
sa.track(`${who}-anon`, 'ViewProduct', {ProductId: 'p1', ProductPrice: 49.75});
sa.trackSignup(user, `${who}-anon`, {from: 'web'});
sa.track(user, 'PayOrder', {order_id: `${who}-o1`, amount: 99.5, $time: new Date('2026-01-02T03:04:05.678Z')});
sa.profileSet(user, {$name: '李雷', City: '上海', Level: 'gold'});
sa.profileSetOnce(user, {first: 'wx'});
sa.profileIncrement(user, {points: 10});
sa.profileAppend(user, {likes: ['shoes']});
sa.profileUnset(user, ['City']);
sa.itemSet('product', 'p1', {name: '鞋', price: 199});
sa.itemDelete('product', 'p2');
