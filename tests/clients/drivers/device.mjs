// What every driver shares: the arguments, and a device whose clock is two hours slow.
const [base, key, who, slow] = process.argv.slice(2);

const behind = slow === 'slow' ? 2 * 3600 * 1000 : 0;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length) super(...given);
    else super(RealDate.now() - behind);
  }
  static now() {
    return RealDate.now() - behind;
  }
};

export {base, key, who};
export const order = {
  order_id: `${who}-o1`,
  revenue: 99.5,
  currency: 'CNY',
  products: [{product_id: 'p1', price: 49.75, quantity: 2}],
};
