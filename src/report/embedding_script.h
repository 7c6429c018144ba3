#pragma once

/// @file
/// Style, elements and script of the interactive page. The data stand before it as JSON.

namespace cytograd {

inline const char* const embedding_page_style = R"(
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2430;--soft:#5b6778;--line:#dde2ea;--card:#f6f8fb;--grid:#e8ebf0;--focus:#2563c9}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6eaf0;--soft:#9aa6b8;--line:#2b3442;--card:#1a212c;--grid:#222a36;--focus:#6ea8ff}}
*{box-sizing:border-box}html,body{height:100%}body{margin:0;display:flex;flex-direction:column;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
header{padding:14px 18px 6px}h1{font-size:20px;margin:0}p{margin:2px 0;color:var(--soft);font-size:13.5px}
.bar{display:flex;flex-wrap:wrap;gap:8px 16px;align-items:center;padding:6px 18px 10px;border-bottom:1px solid var(--line)}
label{font-size:13.5px;color:var(--soft)}select,button{font:inherit;font-size:14px;color:var(--fg);background:var(--card);border:1px solid var(--line);border-radius:7px;padding:4px 9px}
button{cursor:pointer}:focus-visible{outline:2px solid var(--focus);outline-offset:1px}
main{flex:1;min-height:320px;display:flex}.plot{position:relative;flex:1;min-width:0}canvas{position:absolute;inset:0;width:100%;height:100%;touch-action:none;cursor:crosshair}
aside{width:236px;overflow:auto;padding:12px 14px;border-left:1px solid var(--line)}aside h2{font-size:13.5px;color:var(--soft);margin:0 0 6px;font-weight:500}
.both{display:flex;gap:6px;margin-bottom:8px}ul{list-style:none;margin:0;padding:0}li button{display:flex;width:100%;gap:8px;align-items:center;text-align:left;border-color:transparent;background:none;padding:3px 5px}
li button:hover{background:var(--card)}li span{flex:1;overflow-wrap:anywhere}small{color:var(--soft);font-variant-numeric:tabular-nums}
li i{width:12px;height:12px;border-radius:6px;flex:none;border:1px solid rgba(0,0,0,.45)}li button[aria-pressed=false]{opacity:.42;text-decoration:line-through}
#card{position:absolute;display:none;pointer-events:none;z-index:2;width:212px;background:var(--card);border:1px solid var(--line);border-radius:9px;padding:9px;box-shadow:0 4px 16px rgba(0,0,0,.22);font-size:13px;line-height:1.4}
#card div{width:192px;height:192px;border-radius:6px;margin-bottom:7px;background-repeat:no-repeat}#card b{display:block;overflow-wrap:anywhere}#card .off{color:#c43d1a}
@media(prefers-color-scheme:dark){#card .off{color:#ff9a76}}.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(max-width:720px){main{flex-direction:column}.plot{min-height:60vh}aside{width:auto;border-left:0;border-top:1px solid var(--line)}}
)";

inline const char* const embedding_page_body = R"(
<div class="bar"><span id="mapbox"><label for="map">Embedding </label><select id="map"></select></span>
<span><label for="by">Colour by </label><select id="by"></select></span>
<span><button id="in" aria-label="Zoom in">+</button> <button id="out" aria-label="Zoom out">&minus;</button> <button id="all">Whole map</button></span>
<small id="said"></small></div>
<main><div class="plot"><canvas id="c" tabindex="0" role="application" aria-describedby="keys" aria-label="Map of the cells"></canvas><div id="card"></div></div>
<aside aria-label="Legend"><h2 id="legendname"></h2><div class="both"><button id="every">All</button><button id="none">None</button></div><ul id="legend"></ul></aside></main>
<p id="keys" class="hidden">Arrow keys go to the next cell in a direction, with Shift they move the map; plus and minus zoom; 0 shows the whole map; Escape leaves the cell.</p>
<div id="live" class="hidden" aria-live="polite"></div>
)";

inline const char* const embedding_page_script = R"(
'use strict';
const D=JSON.parse(document.getElementById('data').textContent),$=id=>document.getElementById(id);
const canvas=$('c'),ctx=canvas.getContext('2d'),card=$('card'),N=D.names.length;
const safe=['#0072b2','#e69f00','#009e73','#cc79a7','#56b4e9','#d55e00','#b8a800','#5a5a5a','#003c5e','#7a5400'];
let map=D.maps[0],mode,hidden=new Set(),view=null,hover=-1,pinned=-1,sx=new Float32Array(N),sy=new Float32Array(N),codes=[],colours=[],names=[];
const modes=[['class',()=>[D.labels,D.classes,D.colours]],['prediction',()=>[map.predicted,D.classes,D.colours]],
 ['right or wrong',()=>[map.predicted.map((p,i)=>p<0?-1:p===D.labels[i]?0:1),['right','wrong'],['#56b4e9','#d55e00']]]];
if(D.maps.some(m=>m.parts.length))modes.push(['part',()=>[map.parts,D.partNames,safe]]);
for(const g of D.groups)modes.push([g.name,()=>[g.codes,g.values,safe]]);
function option(box,text,value){const o=document.createElement('option');o.textContent=text;o.value=value;box.append(o);}
D.maps.forEach((m,i)=>option($('map'),m.name,i));modes.forEach((m,i)=>option($('by'),m[0],i));
if(D.maps.length<2)$('mapbox').hidden=true;
function shown(i){return Number.isFinite(map.x[i])&&!hidden.has(codes[i]);}
function recolour(keep){mode=modes[+$('by').value];[codes,names,colours]=mode[1]();if(!keep)hidden=new Set();
 const counts=new Map();for(let i=0;i<N;++i)if(Number.isFinite(map.x[i]))counts.set(codes[i],(counts.get(codes[i])||0)+1);
 $('legendname').textContent=mode[0];const list=$('legend');list.textContent='';
 const row=(code,text,colour)=>{if(!counts.get(code))return;const li=document.createElement('li'),b=document.createElement('button');
  b.setAttribute('aria-pressed',String(!hidden.has(code)));
  const dot=document.createElement('i');dot.style.background=colour;const s=document.createElement('span');s.textContent=text;
  const n=document.createElement('small');n.textContent=counts.get(code);b.append(dot,s,n);
  b.onclick=()=>{hidden.has(code)?hidden.delete(code):hidden.add(code);b.setAttribute('aria-pressed',String(!hidden.has(code)));draw();};li.append(b);list.append(li);};
 const order=names===D.classes&&D.order.length===names.length?D.order:[...names.keys()];
 for(const c of order)row(c,names[c],colours[c%colours.length]);row(-1,'none','#9a9a9a');draw();}
function fit(){let a=1/0,b=-1/0,c=1/0,d=-1/0;for(let i=0;i<N;++i){const x=map.x[i],y=map.y[i];if(!Number.isFinite(x))continue;a=Math.min(a,x);b=Math.max(b,x);c=Math.min(c,y);d=Math.max(d,y);}
 if(!(a<=b)){a=c=-1;b=d=1;}const w=canvas.clientWidth,h=canvas.clientHeight;
 view={x:(a+b)/2,y:(c+d)/2,s:Math.min((w-110)/Math.max(b-a,1e-9),(h-90)/Math.max(d-c,1e-9))};draw();}
function step(span){const p=10**Math.floor(Math.log10(span/6));for(const m of[1,2,5,10])if(span/6<=m*p*1.0001)return m*p;return 10*p;}
function draw(){if(!view)return;const r=window.devicePixelRatio||1,w=canvas.clientWidth,h=canvas.clientHeight;
 if(canvas.width!==Math.round(w*r)||canvas.height!==Math.round(h*r)){canvas.width=Math.round(w*r);canvas.height=Math.round(h*r);}
 ctx.setTransform(r,0,0,r,0,0);ctx.clearRect(0,0,w,h);const css=getComputedStyle(document.documentElement),s=view.s;
 const X=x=>w/2+(x-view.x)*s,Y=y=>h/2-(y-view.y)*s;ctx.font='12px system-ui,sans-serif';ctx.fillStyle=css.getPropertyValue('--soft');ctx.strokeStyle=css.getPropertyValue('--grid');ctx.lineWidth=1;
 const t=step(Math.min(w,h)/s),digits=Math.max(0,Math.ceil(-Math.log10(t)-1e-9)),ends=[];
 for(let v=Math.ceil((view.x-w/2/s)/t)*t;v<=view.x+w/2/s;v+=t){ctx.beginPath();ctx.moveTo(X(v),0);ctx.lineTo(X(v),h);ctx.stroke();if(X(v)>44&&X(v)<w-24)ends.push([v,X(v),h-20,'center']);}
 for(let v=Math.ceil((view.y-h/2/s)/t)*t;v<=view.y+h/2/s;v+=t){ctx.beginPath();ctx.moveTo(0,Y(v));ctx.lineTo(w,Y(v));ctx.stroke();if(Y(v)>14&&Y(v)<h-34)ends.push([v,8,Y(v)-3,'left']);}
 const size=Math.max(2.2,Math.min(6,110/Math.sqrt(N+1)))*Math.min(1.8,Math.max(1,Math.sqrt(s/base())));
 for(let i=0;i<N;++i){sx[i]=X(map.x[i]);sy[i]=Y(map.y[i]);}
 const buckets=new Map();for(let i=0;i<N;++i)if(shown(i)&&sx[i]>-9&&sx[i]<w+9&&sy[i]>-9&&sy[i]<h+9){const c=codes[i];if(!buckets.has(c))buckets.set(c,[]);buckets.get(c).push(i);}
 let seen=0;for(const[c,list]of buckets){ctx.fillStyle=c<0?'#9a9a9a':colours[c%colours.length];ctx.strokeStyle='rgba(20,20,20,.55)';ctx.lineWidth=.7;ctx.beginPath();
  for(const i of list){ctx.moveTo(sx[i]+size,sy[i]);ctx.arc(sx[i],sy[i],size,0,6.2832);}ctx.fill();if(N<=6000)ctx.stroke();seen+=list.length;}
 ctx.fillStyle=css.getPropertyValue('--soft');for(const[v,x,y,a]of ends){ctx.textAlign=a;ctx.fillText(v.toFixed(digits),x,y);}
 ctx.textAlign='center';ctx.fillText(map.xl,w/2,h-5);ctx.save();ctx.translate(w-8,h/2);ctx.rotate(-Math.PI/2);ctx.fillText(map.yl,0,0);ctx.restore();
 const at=pinned>=0?pinned:hover;if(at>=0&&shown(at)){ctx.beginPath();ctx.arc(sx[at],sy[at],size+3,0,6.2832);ctx.strokeStyle=css.getPropertyValue('--fg');ctx.lineWidth=2;ctx.stroke();}
 $('said').textContent=seen+' of '+N+' cells in view';}
let baseScale=0;function base(){return baseScale||view.s;}
function describe(i){const p=map.predicted[i],out=[['class',D.classes[D.labels[i]]]];if(p>=0)out.push(['predicted',D.classes[p]+(map.confidence.length&&map.confidence[i]!==null?' ('+map.confidence[i].toFixed(2)+')':'')]);
 if(map.parts.length&&map.parts[i]>=0)out.push(['part',D.partNames[map.parts[i]]]);for(const g of D.groups)if(g.codes[i]>=0)out.push([g.name,g.values[g.codes[i]]]);return out;}
function show(i){if(i<0){card.style.display='none';return;}card.textContent='';
 if(D.atlas){const A=D.atlas,k=i%A.per,z=192/A.side,d=document.createElement('div');d.style.backgroundImage='url(data:image/jpeg;base64,'+A.sheets[Math.floor(i/A.per)]+')';
  d.style.backgroundSize=A.columns*A.side*z+'px auto';d.style.backgroundPosition=-(k%A.columns)*192+'px '+-Math.floor(k/A.columns)*192+'px';card.append(d);}
 const b=document.createElement('b');b.textContent=D.names[i];card.append(b);
 for(const[k,v]of describe(i)){const e=document.createElement('span');e.textContent=k+' '+v;if(k==='predicted'&&map.predicted[i]!==D.labels[i])e.className='off';card.append(e,document.createElement('br'));}
 card.style.display='block';const w=canvas.clientWidth,h=canvas.clientHeight,cw=card.offsetWidth,ch=card.offsetHeight;
 let x=sx[i]+16,y=sy[i]-ch/2;if(x+cw>w)x=sx[i]-16-cw;card.style.left=Math.max(2,x)+'px';card.style.top=Math.max(2,Math.min(h-ch-2,y))+'px';}
function nearest(x,y,reach){let best=-1,d=reach*reach;for(let i=0;i<N;++i)if(shown(i)){const e=(sx[i]-x)**2+(sy[i]-y)**2;if(e<d){d=e;best=i;}}return best;}
function zoom(f,x,y){const w=canvas.clientWidth,h=canvas.clientHeight;x??=w/2;y??=h/2;const dx=(x-w/2)/view.s,dy=(h/2-y)/view.s,s=Math.max(base()/4,Math.min(base()*400,view.s*f));
 view.x+=dx-(x-w/2)/s;view.y+=dy-(h/2-y)/s;view.s=s;draw();show(pinned>=0?pinned:hover);}
function whole(){fit();baseScale=view.s;draw();show(pinned);}
canvas.addEventListener('wheel',e=>{e.preventDefault();zoom(Math.exp(-e.deltaY*(e.deltaMode?.05:.0016)),e.offsetX,e.offsetY);},{passive:false});
let drag=null;canvas.addEventListener('pointerdown',e=>{drag={x:e.clientX,y:e.clientY,moved:false};canvas.setPointerCapture(e.pointerId);});
canvas.addEventListener('pointermove',e=>{if(drag){const dx=e.clientX-drag.x,dy=e.clientY-drag.y;if(drag.moved||Math.hypot(dx,dy)>3){drag={x:e.clientX,y:e.clientY,moved:true};view.x-=dx/view.s;view.y+=dy/view.s;hover=pinned=-1;show(-1);draw();}return;}
 const i=nearest(e.offsetX,e.offsetY,14);if(i!==hover||pinned>=0){hover=i;pinned=-1;draw();show(i);}});
canvas.addEventListener('pointerup',e=>{if(drag&&!drag.moved){hover=nearest(e.offsetX,e.offsetY,18);draw();show(hover);}drag=null;});
canvas.addEventListener('pointerleave',()=>{if(!drag){hover=-1;if(pinned<0)show(-1);draw();}});
canvas.addEventListener('dblclick',e=>zoom(2,e.offsetX,e.offsetY));
canvas.addEventListener('keydown',e=>{const go={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]}[e.key],w=canvas.clientWidth,h=canvas.clientHeight;
 if(go&&e.shiftKey){view.x+=go[0]*60/view.s;view.y-=go[1]*60/view.s;draw();show(pinned);}
 else if(go){const from=pinned>=0?pinned:hover,x=from>=0?sx[from]:w/2,y=from>=0?sy[from]:h/2;let best=-1,d=1/0;
  for(let i=0;i<N;++i)if(i!==from&&shown(i)){const dx=sx[i]-x,dy=sy[i]-y,l=Math.hypot(dx,dy),a=dx*go[0]+dy*go[1];if(from>=0&&a<=.5*l)continue;if(l<d){d=l;best=i;}}
  if(best>=0){pinned=best;if(sx[best]<20||sy[best]<20||sx[best]>w-20||sy[best]>h-40){view.x=map.x[best];view.y=map.y[best];}draw();show(best);
   $('live').textContent=D.names[best]+', '+describe(best).map(p=>p.join(' ')).join(', ');}}
 else if(e.key==='+'||e.key==='=')zoom(1.4);else if(e.key==='-')zoom(1/1.4);else if(e.key==='0'||e.key==='Home')whole();
 else if(e.key==='Escape'){hover=pinned=-1;show(-1);draw();}else return;e.preventDefault();});
$('in').onclick=()=>zoom(1.4);$('out').onclick=()=>zoom(1/1.4);$('all').onclick=whole;
$('every').onclick=()=>{hidden=new Set();recolour(true);};$('none').onclick=()=>{hidden=new Set([-1,...names.keys()]);recolour(true);};
$('by').onchange=()=>recolour(false);$('map').onchange=()=>{map=D.maps[+$('map').value];hover=pinned=-1;show(-1);whole();recolour(true);};
new ResizeObserver(()=>{if(view)draw();}).observe(canvas);matchMedia('(prefers-color-scheme:dark)').addEventListener('change',draw);
recolour(false);whole();
)";

}  // namespace cytograd
