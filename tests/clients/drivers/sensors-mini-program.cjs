// The mini program's SDK under Node.js: `wx` is what WeChat gives a mini program, reduced to what the SDK asks for.
const http = require('node:http');

const [base, key, who, mode] = process.argv.slice(2);
const storage = new Map();
const info = {
  brand: 'HUAWEI', model: 'P40', system: 'Android 12', platform: 'android', version: '8.0.40', SDKVersion: '3.4.0',
  screenWidth: 360, screenHeight: 780, windowWidth: 360, windowHeight: 700,
};

globalThis.wx = {
  getStorageSync: name => storage.get(name) ?? '',
  setStorageSync: (name, value) => storage.set(name, value),
  setStorage: ({key: name, data, success}) => {
    storage.set(name, data);
    success?.({});
  },
  getStorage: ({key: name, success, fail}) => (storage.has(name) ? success?.({data: storage.get(name)}) : fail?.({})),
  removeStorage: ({key: name}) => storage.delete(name),
  getSystemInfo: ({success, complete}) => {
    success?.(info);
    complete?.(info);
  },
  getSystemInfoSync: () => info,
  getNetworkType: ({success, complete}) => {
    success?.({networkType: 'wifi'});
    complete?.({networkType: 'wifi'});
  },
  onNetworkStatusChange: () => {},
  onAppShow: () => {},
  onAppHide: () => {},
  login: ({success}) => success?.({code: 'code'}),
  setNavigationBarTitle: () => {},
  getAccountInfoSync: () => ({miniProgram: {appId: 'wx0123456789abcdef', envVersion: 'release', version: '1.0.0'}}),
  getLaunchOptionsSync: () => ({path: 'pages/index/index', query: {}, scene: 1001}),
  // As WeChat does it: JSON is the default content type whatever the body is, and any answer is a success.
  request: ({url, method = 'GET', data, header = {}, success, fail, complete}) => {
    const headers = {'content-type': 'application/json', referer: 'https://servicewechat.com/wx0/devtools/page-frame.html'};
    for (const [name, value] of Object.entries(header)) headers[name.toLowerCase()] = value;
    const request = http.request(url, {method, headers}, answer => {
      let text = '';
      answer.on('data', part => (text += part));
      answer.on('end', () => {
        if (answer.statusCode !== 200) {
          console.error(`${method} ${url}: ${answer.statusCode} ${text}`);
          process.exitCode = 1;
        }
        success?.({statusCode: answer.statusCode, data: text, header: answer.headers});
        complete?.({});
      });
    });
    request.on('error', error => {
      console.error(error);
      process.exitCode = 1;
      fail?.({errMsg: String(error)});
      complete?.({});
    });
    if (method !== 'GET' && data) request.write(data);
    request.end();
    return {abort: () => request.destroy()};
  },
};
const page = {route: 'pages/index/index', options: {}, __route__: 'pages/index/index'};
globalThis.App = options => options;
globalThis.Page = options => options;
globalThis.Component = options => options;
globalThis.getApp = () => ({});
globalThis.getCurrentPages = () => [page];

const sensors = require('sa-sdk-miniprogram');
sensors.setPara({
  name: 'sensors',
  server_url: `${base}/sa?project=production&token=${key}`,
  batch_send: mode === 'single' ? false : {send_timeout: 300, max_length: 50},
  autoTrack: {appLaunch: false, appShow: false, appHide: false, pageShow: false, pageShare: false},
  show_log: false,
});
sensors.registerApp({platformType: 'mp'});
sensors.init();
sensors.setOpenid(`${who}-openid`);
sensors.setUnionid(`${who}-unionid`);
sensors.track('ViewProduct', {ProductId: 'p1', ProductPrice: 49.75, tags: ['a']});
sensors.setProfile({City: '上海'});
sensors.login(`${who}-user`);
sensors.track('PayOrder', {order_id: `${who}-o1`, amount: 99.5});
sensors.setOnceProfile({first: 'wx'});
sensors.incrementProfile({points: 10});
sensors.appendProfile({likes: 'shoes'}); // 1.17.9 drops lists
sensors.bind('$identity_member_no', `${who}-member`);
sensors.unbind('$identity_member_no', `${who}-member`);
setTimeout(() => process.exit(), 4000).unref();
