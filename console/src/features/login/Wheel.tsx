// The wheel of growth: seven steps round one customer, each handing to the next.
const SIZE = 420;
const RADIUS = 150;

function point(index: number, count: number, radius: number, turn = 0) {
  const angle = ((index + turn) / count) * 2 * Math.PI - Math.PI / 2;
  return { x: SIZE / 2 + Math.cos(angle) * radius, y: SIZE / 2 + Math.sin(angle) * radius };
}

export function Wheel({ label, steps, centre }: { label: string; steps: string[]; centre: string }) {
  const count = steps.length;
  return (
    <svg className="wheel" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={`${label}: ${steps.join(" → ")}`}>
      <defs>
        <radialGradient id="wheel-glow">
          <stop offset="0" stopColor="#ffffff" stopOpacity="0.28" />
          <stop offset="1" stopColor="#ffffff" stopOpacity="0" />
        </radialGradient>
      </defs>
      <circle cx={SIZE / 2} cy={SIZE / 2} r={RADIUS + 50} fill="url(#wheel-glow)" opacity="0.5" />
      <circle cx={SIZE / 2} cy={SIZE / 2} r={RADIUS - 52} fill="none" stroke="#ffffff" strokeOpacity="0.14" />
      <circle cx={SIZE / 2} cy={SIZE / 2} r={RADIUS} fill="none" stroke="#ffffff" strokeOpacity="0.32" strokeWidth="1.5" />
      {steps.map((step, index) => {
        const between = point(index, count, RADIUS, 0.5);
        const turn = ((index + 0.5) / count) * 360;
        return <path key={step} transform={`translate(${between.x} ${between.y}) rotate(${turn})`} d="M-5 -7 L5 0 L-5 7" fill="none" stroke="#b9d1ff" strokeWidth="2.5" strokeLinecap="round" strokeLinejoin="round" />;
      })}
      <circle className="wheel-spark" cx={SIZE / 2} cy={SIZE / 2 - RADIUS} r="5" fill="#7ff0d8" />
      {steps.map((step, index) => {
        const at = point(index, count, RADIUS);
        return (
          <g key={step}>
            <rect x={at.x - 42} y={at.y - 18} width="84" height="36" rx="18" fill="#ffffff" />
            <text x={at.x} y={at.y + 5} textAnchor="middle" fontSize="15" fontWeight="600" fill="#0c2f86">
              {step}
            </text>
          </g>
        );
      })}
      <circle cx={SIZE / 2} cy={SIZE / 2} r="58" fill="#ffffff" fillOpacity="0.12" stroke="#ffffff" strokeOpacity="0.5" />
      <circle cx={SIZE / 2} cy={SIZE / 2 - 16} r="12" fill="#ffffff" />
      <path d={`M${SIZE / 2 - 22} ${SIZE / 2 + 18} a22 20 0 0 1 44 0 Z`} fill="#ffffff" />
      <text x={SIZE / 2} y={SIZE / 2 + 39} textAnchor="middle" fontSize="13" fontWeight="600" fill="#ffffff">
        {centre}
      </text>
    </svg>
  );
}
